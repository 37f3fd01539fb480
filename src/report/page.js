// Values of pictures by keys and by touch: what a resting pointer is told, for everybody else.
for (const figure of document.querySelectorAll("figure")) {
  if (!figure.querySelector("svg rect > title")) continue;
  const line = document.createElement("p");
  line.className = "value soft";
  line.setAttribute("aria-live", "polite");
  line.textContent = "Arrow keys, or a touch, show values.";
  figure.append(line);
  const name = figure.querySelector("svg > title").textContent;
  figure.tabIndex = 0;
  figure.setAttribute("role", "group");
  figure.setAttribute("aria-label", name + ": values by the arrow keys");
  let at = -1;

  // The theme may change at any time: both pictures have the same places in the same order.
  const picture = () => [...figure.querySelectorAll("svg")].find((svg) => svg.getClientRects().length > 0);
  const places = () => [...picture().querySelectorAll("rect:has(> title)")];
  const show = (next) => {
    const all = places();
    at = Math.max(0, Math.min(all.length - 1, next));
    line.textContent = all[at].querySelector("title").textContent.replaceAll("\n", ", ");
    for (const marked of figure.querySelectorAll(".at")) marked.classList.remove("at");
    all[at].classList.add("at");
  };
  const middle = (place) => {
    const { x, y, width, height } = place.getBBox();
    return [x + width / 2, y + height / 2, height];
  };
  // The nearest place above or below; without one the page scrolls as it would.
  const beside = (way) => {
    const all = places();
    const [x, y, height] = middle(all[Math.max(0, at)]);
    const rows = all.map((place, index) => [index, ...middle(place)]).filter((row) => way * (row[2] - y) > height / 2);
    rows.sort((a, b) => Math.abs(a[2] - y) - Math.abs(b[2] - y) || Math.abs(a[1] - x) - Math.abs(b[1] - x));
    return rows.length > 0 ? rows[0][0] : -1;
  };
  figure.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const next = {
      ArrowRight: () => at + 1,
      ArrowLeft: () => at - 1,
      PageDown: () => at + 10,
      PageUp: () => at - 10,
      Home: () => 0,
      End: () => places().length - 1,
      ArrowDown: () => beside(1),
      ArrowUp: () => beside(-1),
    }[event.key];
    const found = next ? next() : -1;
    if (!next || (event.key.match(/^Arrow(Up|Down)$/) && found < 0)) return;
    event.preventDefault();
    show(found);
  });
  figure.addEventListener("click", (event) => {
    const found = places().indexOf(event.target);
    if (found >= 0) show(found);
  });
}
