//! Pictures of every kind, looked at as data and as files.

use super::*;

fn axis(label: &str) -> Axis {
    Axis { label: label.into(), logarithmic: false, range: None }
}

fn series(name: &str, stroke: Stroke, points: impl Iterator<Item = (f64, f64)>) -> Series {
    Series { name: name.into(), points: points.collect(), stroke }
}

/// One panel of every kind.
fn panels() -> Vec<Panel> {
    let noise = |index: u32| f64::from(index.wrapping_mul(2_654_435_761) >> 16) / 65_536.0;
    let loss = |step: u32| 2.2 * (-f64::from(step) / 900.0).exp() + 0.2;
    let steps = 1..=10_000;
    let training = Lines {
        x: axis("step"),
        y: axis("loss of a batch"),
        series: vec![
            series("each step", Stroke::Faint, steps.clone().map(|n| (f64::from(n), loss(n) * (0.6 + 0.8 * noise(n))))),
            series("mean of 100 steps", Stroke::Solid, steps.step_by(50).map(|n| (f64::from(n), loss(n)))),
        ],
    };
    let gaps = [0.1, 0.5, f64::NAN, 0.7, f64::INFINITY, 0.8, 0.82, 0.85].into_iter().enumerate();
    let accuracy = Lines {
        x: axis("epoch"),
        y: Axis { range: Some((0.0, 1.0)), ..axis("accuracy") },
        series: vec![
            series("training", Stroke::Solid, gaps.clone().map(|(n, y)| (n as f64, y))),
            series("test", Stroke::Dashed, gaps.clone().map(|(n, y)| (n as f64, y * 0.93))),
            series("steps", Stroke::Steps, gaps.clone().map(|(n, y)| (n as f64, y * 0.5))),
            series("points", Stroke::Points, gaps.map(|(n, y)| (n as f64 + 0.5, y * 0.7))),
        ],
    };
    let errors = |floor: f64, power: i32| {
        (-160..=0).map(move |n| {
            let h = 10_f64.powf(f64::from(n) / 10.0);
            (h, floor / h + h.powi(power))
        })
    };
    let sweep = Lines {
        x: Axis { logarithmic: true, ..axis("h") },
        y: Axis { logarithmic: true, ..axis("error of the derivative") },
        series: vec![
            series("float64, central", Stroke::Solid, errors(1e-16, 2)),
            series("float32, central", Stroke::Solid, errors(6e-8, 2)),
            series("float64, forward", Stroke::Solid, errors(1e-16, 1)),
            series("float32, five-point", Stroke::Solid, errors(6e-8, 4)),
        ],
    };
    let odd = Lines {
        x: axis("x"),
        y: axis("a constant, a point, nothing"),
        series: vec![
            series("constant", Stroke::Solid, [(1.0, 0.3), (2.0, 0.3)].into_iter()),
            series("one point", Stroke::Solid, std::iter::once((1.5, 0.3))),
            series("nothing", Stroke::Solid, std::iter::empty()),
        ],
    };
    let empty = Lines { x: axis("x"), y: axis("y"), series: Vec::new() };
    let square = |label: &str, low: f64, high: f64| Axis { range: Some((low, high)), ..axis(label) };
    let at = |index: usize, low: f64, high: f64| low + index as f64 / 80.0 * (high - low);
    let field = |f: fn(f64, f64) -> f64, low: f64, high: f64| -> Vec<f64> {
        (0..81 * 81).map(|index| f(at(index % 81, low, high), at(index / 81, low, high))).collect()
    };
    let himmelblau = |x: f64, y: f64| (x * x + y - 11.0).powi(2) + (x + y * y - 7.0).powi(2);
    let mut point = (-1.0, -0.5);
    let mut path = vec![point];
    for _ in 0..40 {
        let slope =
            |dx: f64, dy: f64| (himmelblau(point.0 + dx, point.1 + dy) - himmelblau(point.0 - dx, point.1 - dy)) / 2e-4;
        point = (point.0 - 0.01 * slope(1e-4, 0.0), point.1 - 0.01 * slope(0.0, 1e-4));
        path.push(point);
    }
    let bowl = Contours {
        x: square("x0", -2.0, 2.0),
        y: square("x1", -2.0, 2.0),
        label: "x0² + x1²".into(),
        values: field(|x, y| x * x + y * y, -2.0, 2.0),
        columns: 81,
        rows: 81,
        logarithmic: false,
        arrows: (0..81)
            .map(|index| (f64::from(index % 9) * 0.45 - 1.8, f64::from(index / 9) * 0.45 - 1.8))
            .map(|(x, y)| [x, y, -x * 0.18, -y * 0.18])
            .collect(),
        paths: Vec::new(),
    };
    let valleys = Contours {
        label: "f".into(),
        x: square("x0", -5.0, 5.0),
        y: square("x1", -5.0, 5.0),
        values: field(himmelblau, -5.0, 5.0),
        logarithmic: true,
        arrows: Vec::new(),
        paths: vec![
            Series { name: "learning rate 0.01".into(), points: path.clone(), stroke: Stroke::Solid },
            Series {
                name: "learning rate 0.001".into(),
                points: path.iter().take(5).map(|(x, y)| (-x, *y - 2.0)).collect(),
                stroke: Stroke::Solid,
            },
        ],
        ..bowl.clone()
    };
    let holes = Contours {
        label: "ln(x0 x1)".into(),
        values: field(|x, y| (x * y).ln(), -2.0, 2.0),
        arrows: Vec::new(),
        ..bowl.clone()
    };
    let confusion = |size: usize, right: u64| Matrix {
        row_label: "true class".into(),
        column_label: "predicted class".into(),
        counts: (0..size)
            .map(|row| {
                (0..size)
                    .map(|column| if row == column { right } else { ((row * 7 + column * 3) % 11) as u64 })
                    .collect()
            })
            .collect(),
    };
    let tile = |index: usize, signed: bool| Tile {
        pixels: (0..784)
            .map(|pixel| {
                let (x, y) = ((pixel % 28) as f32 / 14.0 - 1.0, (pixel / 28) as f32 / 14.0 - 1.0);
                let value = ((x * (1.0 + index as f32)).sin() + (y * 3.0 + index as f32).cos()) / 2.0;
                if signed { value } else { value.abs() }
            })
            .collect(),
        caption: if signed {
            format!("unit {index}")
        } else {
            format!("{} taken for {}: 98.7%", index % 10, (index + 3) % 10)
        },
    };
    let weights =
        Images { width: 28, height: 28, signed: true, tiles: (0..25).map(|index| tile(index, true)).collect() };
    let digits =
        Images { width: 28, height: 28, signed: false, tiles: (0..9).map(|index| tile(index, false)).collect() };
    let bars = Histogram {
        x: axis("gradient of layers.0.weight"),
        edges: (0..=60).map(|index| f64::from(index - 30) * 1e-5).collect(),
        counts: (0..60_i32).map(|index| (40_000.0 * (-f64::from((index - 30).pow(2)) / 60.0).exp()) as u64).collect(),
    };
    vec![
        Panel::Lines(training),
        Panel::Lines(accuracy),
        Panel::Lines(sweep),
        Panel::Lines(odd),
        Panel::Lines(empty),
        Panel::Surface(bowl.clone()),
        Panel::Surface(valleys.clone()),
        Panel::Surface(holes.clone()),
        Panel::Contours(bowl),
        Panel::Contours(valleys),
        Panel::Contours(holes),
        Panel::Matrix(confusion(10, 973)),
        Panel::Matrix(confusion(47, 12_000)),
        Panel::Images(weights),
        Panel::Images(digits),
        Panel::Histogram(bars),
    ]
}

fn figures() -> Vec<Figure> {
    let title = |panel: &Panel| match panel {
        Panel::Lines(_) => {
            "Training of 784-50-10 by numerical gradients on mnist, batches of 100, learning rate 0.1: loss and accuracy"
        }
        Panel::Contours(_) | Panel::Surface(_) => "Descent <of> \"x0^2 & x1^2\"",
        _ => "What the network sees",
    };
    let alone = panels().into_iter().map(|panel| Figure { title: title(&panel).into(), panels: vec![panel] });
    alone.chain([Figure { title: "Everything".into(), panels: panels() }]).collect()
}

fn texts(scene: &Scene) -> Vec<&scene::Text> {
    scene.shapes.iter().filter_map(|shape| if let Shape::Text(text) = shape { Some(text) } else { None }).collect()
}

/// The first two texts that cover each other, or one that leaves the picture.
fn clash(scene: &Scene) -> Option<String> {
    let texts = texts(scene);
    let whole = Area::new(0.0, 0.0, scene.width, scene.height);
    for (index, text) in texts.iter().enumerate() {
        let area = text.area();
        if !whole.contains((area.left, area.top)) || !whole.contains((area.right, area.bottom)) {
            return Some(format!("{:?} leaves the picture: {area:?}", text.text));
        }
        for other in &texts[..index] {
            let there = other.area();
            let apart = area.left >= there.right
                || there.left >= area.right
                || area.top >= there.bottom
                || there.top >= area.bottom;
            if !apart {
                return Some(format!("{:?} at {area:?} covers {:?} at {there:?}", text.text, other.text));
            }
        }
    }
    None
}

#[test]
fn no_text_covers_another() {
    for figure in figures() {
        for width in [WIDTH, NARROW] {
            let scene = scene(&figure, Theme::Dark, width);
            assert_eq!(clash(&scene), None, "{}", figure.title);
        }
    }
    let mut scene = scene(&figures()[0], Theme::Light, WIDTH);
    let place = texts(&scene)[0].place;
    scene.text("in the way", place, Anchor::Start, 12.0, [0; 3]);
    assert!(clash(&scene).is_some(), "a text upon another is noticed");
}

#[test]
fn data_stay_inside_the_picture() {
    for figure in figures() {
        let scene = scene(&figure, Theme::Light, WIDTH);
        let whole = Area::new(0.0, 0.0, scene.width, scene.height);
        for shape in &scene.shapes {
            let points = match shape {
                Shape::Line { points, .. } | Shape::Polygon { points, .. } => points.clone(),
                Shape::Circle { center, .. } => vec![*center],
                Shape::Rect { area, .. } | Shape::Image { area, .. } | Shape::Note { area, .. } => {
                    vec![(area.left, area.top), (area.right, area.bottom)]
                }
                Shape::Text(_) => Vec::new(),
            };
            assert!(points.iter().all(|point| whole.contains(*point)), "{}: {shape:?}", figure.title);
        }
    }
}

#[test]
fn svg_is_the_same_each_time_and_its_text_is_text() {
    for figure in figures() {
        let [first, second] = [(); 2].map(|()| svg(&figure, Theme::Light).unwrap());
        assert_eq!(first, second);
        let title = paint::escaped(&figure.title);
        assert!(first.contains(&format!("<title>{title}</title>")), "{}", &first[..300]);
        assert!(first.starts_with("<svg ") && first.ends_with("</svg>\n"));
        assert!(first.contains("<text "));
        assert_ne!(first, svg(&figure, Theme::Dark).unwrap());
    }
}

#[test]
fn hovering_tells_values() {
    let told = |panel| svg(&Figure { title: String::new(), panels: vec![panel] }, Theme::Light).unwrap();
    let of = |kind: fn(&Panel) -> bool| panels().into_iter().find(kind).unwrap();
    let lines = told(of(|panel| matches!(panel, Panel::Lines(_))));
    assert!(lines.contains("mean of 100 steps: 0.2"), "{lines}");
    let matrix = told(of(|panel| matches!(panel, Panel::Matrix(_))));
    assert!(matrix.contains("<title>true class 3, predicted class 0: 10 (0.99% of the row)</title>"));
    let histogram = told(of(|panel| matches!(panel, Panel::Histogram(_))));
    assert!(histogram.contains("from 0 to 1e-5: 40,000"));
}

#[test]
fn png_has_the_promised_size_and_something_on_it() {
    for figure in figures() {
        let scene = scene(&figure, Theme::Dark, WIDTH);
        let picture = image::load_from_memory(&paint::png(&scene).unwrap()).unwrap().into_rgb8();
        let promised = [scene.width, scene.height].map(|side| side as u32 * paint::DENSITY as u32);
        assert_eq!([picture.width(), picture.height()], promised);
        let ground = Palette::of(Theme::Dark).ground;
        let drawn = picture.pixels().filter(|pixel| pixel.0 != ground).count();
        assert!(drawn > 1000, "{}: {drawn} pixels", figure.title);
    }
}

#[test]
fn curves_have_their_colours_in_both_kinds_of_files() {
    let figure = &figures()[3];
    for theme in [Theme::Light, Theme::Dark] {
        let scene = scene(figure, theme, WIDTH);
        let picture = image::load_from_memory(&paint::png(&scene).unwrap()).unwrap().into_rgb8();
        let document = paint::svg(&scene).unwrap();
        // A line, a point; the third series is empty and is in the legend alone; there is no fourth.
        let there = |index| {
            let color = Palette::of(theme).series(index);
            let [red, green, blue] = color;
            let pixels = picture.pixels().filter(|pixel| pixel.0 == color).count();
            (pixels > 50, document.contains(&format!("#{red:02X}{green:02X}{blue:02X}")))
        };
        assert_eq!([0, 1, 2, 3].map(there), [(true, true), (true, true), (true, true), (false, false)]);
    }
}

#[test]
fn files_are_whole_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let figure = &figures()[3];
    for name in ["a.svg", "b.PNG"] {
        let path = folder.path().join(name);
        std::fs::write(&path, "old").unwrap();
        save(figure, &path, Theme::Light).unwrap();
        assert!(std::fs::read(&path).unwrap().len() > 1000);
    }
    let refused = save(figure, &folder.path().join("a.jpg"), Theme::Light);
    assert!(matches!(refused, Err(Error::Config { .. })), "{refused:?}");
    let missing = save(figure, &folder.path().join("no/a.svg"), Theme::Light);
    assert!(matches!(missing, Err(Error::Io { .. })), "{missing:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}
