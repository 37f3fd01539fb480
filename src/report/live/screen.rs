//! What is on the screen: drawn from numbers alone, so that it can be looked at without a terminal.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{Axis, Block, Chart, Dataset, Gauge, GraphType, Paragraph};

use super::trace::Trace;
use crate::report::{count, duration, percent, significant};
use crate::train::Evaluation;

/// Colours that are told apart by everybody (Okabe and Ito, 2008).
const TRAIN: Color = Color::Rgb(86, 180, 233);
const TEST: Color = Color::Rgb(230, 159, 0);

/// The state of a run.
pub(super) struct Screen {
    about: Vec<String>,
    steps: u64,
    /// Pixels of a sample: columns, rows.
    shape: [usize; 2],
    step: u64,
    loss: f32,
    seconds: f64,
    /// Where the rate is measured from: what the first steps took says little about the others.
    since: Option<(u64, f64)>,
    losses: Trace,
    /// Epoch and accuracy.
    train: Vec<(f64, f64)>,
    test: Vec<(f64, f64)>,
    last: Option<Evaluation>,
    /// Pixels and label of samples of the batch at hand.
    pub(super) samples: Vec<(Vec<u8>, u8)>,
    plain: bool,
}

impl Screen {
    pub(super) fn new(about: Vec<String>, steps: u64, shape: [usize; 2]) -> Self {
        Self {
            about,
            steps,
            shape,
            step: 0,
            loss: f32::NAN,
            seconds: 0.0,
            since: None,
            losses: Trace::default(),
            train: Vec::new(),
            test: Vec::new(),
            last: None,
            samples: Vec::new(),
            plain: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
        }
    }

    pub(super) fn losses(&mut self, first: u64, losses: &[f32], seconds: f64) {
        let Some(&last) = losses.last() else { return };
        losses.iter().for_each(|&loss| self.losses.push(loss.into()));
        (self.step, self.loss, self.seconds) = (first + losses.len() as u64 - 1, last, seconds);
        self.since.get_or_insert((self.step, seconds));
    }

    pub(super) fn evaluation(&mut self, evaluation: &Evaluation) {
        self.train.push((evaluation.epoch, evaluation.train.accuracy));
        self.test.push((evaluation.epoch, evaluation.test.accuracy));
        self.last = Some(evaluation.clone());
    }

    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let area = frame.area();
        // Two pixels above each other share a character; a line for the label, two for the frame.
        let images = self.shape[1].div_ceil(2) as u16 + 3;
        let about = (self.about.len() as u16).min(4);
        // The curves come first where there is little room.
        let images = if area.height >= about + 1 + 10 + images { images } else { 0 };
        let [head, gauge, curves, bottom] = Layout::vertical([
            Constraint::Length(about),
            Constraint::Length(1),
            Constraint::Min(0),
            Constraint::Length(images),
        ])
        .areas(area);
        frame.render_widget(
            Paragraph::new(self.about.iter().map(|line| Line::raw(line.clone())).collect::<Vec<_>>()),
            head,
        );
        self.draw_gauge(frame, gauge);
        let [left, right] = Layout::horizontal([Constraint::Percentage(60), Constraint::Percentage(40)]).areas(curves);
        self.draw_losses(frame, left);
        self.draw_accuracies(frame, right);
        self.draw_samples(frame, bottom);
    }

    fn style(&self, color: Color) -> Style {
        if self.plain { Style::new() } else { Style::new().fg(color) }
    }

    fn draw_gauge(&self, frame: &mut Frame<'_>, area: Rect) {
        let rate = self.since.map(|(step, seconds)| (self.step - step) as f64 / (self.seconds - seconds));
        let timing = match rate.filter(|rate| rate.is_finite() && *rate > 0.0) {
            Some(rate) => {
                let left = duration(self.steps.saturating_sub(self.step) as f64 / rate);
                format!("  {} steps/s  {left} left", significant(rate))
            }
            None => String::new(),
        };
        let label = format!("step {}/{}{timing}", count(self.step), count(self.steps));
        let share = (self.step as f64 / self.steps.max(1) as f64).clamp(0.0, 1.0);
        frame.render_widget(Gauge::default().ratio(share).label(label).gauge_style(self.style(TRAIN)), area);
    }

    fn draw_losses(&self, frame: &mut Frame<'_>, area: Rect) {
        let points = self.losses.points();
        let most = points.iter().map(|point| point.1).filter(|loss| loss.is_finite()).fold(0.0, f64::max);
        let end = points.last().map_or(1.0, |point| point.0).max(2.0);
        let title = format!(" loss {} ", significant(self.loss.into()));
        let sets = vec![line("loss", &points, self.style(TRAIN))];
        let x = [1.0, end];
        chart(frame, area, title, sets, (x, x.map(|step| count(step as u64))), ([0.0, most.max(1e-9)], significant));
    }

    fn draw_accuracies(&self, frame: &mut Frame<'_>, area: Rect) {
        let title = match &self.last {
            Some(last) => {
                let (train, test) = (percent(last.train.accuracy), percent(last.test.accuracy));
                format!(" accuracy: train {train}, test {test} ")
            }
            None => " accuracy: not evaluated yet ".into(),
        };
        let all = || self.train.iter().chain(&self.test);
        let least = all().map(|point| point.1).fold(1.0, f64::min).min(0.99);
        let end = all().map(|point| point.0).fold(0.0, f64::max).max(1e-3);
        let start = self.train.first().map_or(0.0, |first| first.0).min(0.5 * end);
        let sets = vec![line("train", &self.train, self.style(TRAIN)), line("test", &self.test, self.style(TEST))];
        let x = [start, end];
        chart(frame, area, title, sets, (x, x.map(|epoch| format!("epoch {epoch:.1}"))), ([least, 1.0], percent));
    }

    fn draw_samples(&self, frame: &mut Frame<'_>, area: Rect) {
        if area.height == 0 {
            return;
        }
        let block = Block::bordered().title(" being learnt ");
        let inner = block.inner(area);
        frame.render_widget(block, area);
        let width = self.shape[0] as u16;
        let room = (inner.width / (width + 2).max(1)) as usize;
        for (index, (pixels, label)) in self.samples.iter().take(room).enumerate() {
            let place = Rect { x: inner.x + index as u16 * (width + 2), width, ..inner };
            let mut lines: Vec<_> = half_rows(pixels, self.shape[0]).into_iter().map(Line::raw).collect();
            lines.push(Line::raw(format!("a {label}")).centered());
            frame.render_widget(Paragraph::new(lines), place);
        }
    }
}

/// An image with two pixels above each other to a character, which is as high as it is wide then.
fn half_rows(pixels: &[u8], columns: usize) -> Vec<String> {
    const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];
    let shade = |pair: &[u8], at: usize| {
        let below = pair.get(columns + at).copied().unwrap_or(0);
        SHADES[((usize::from(pair[at]) + usize::from(below)) * 4 + 254) / 510]
    };
    let pairs = pixels.chunks(2 * columns.max(1));
    pairs.map(|pair| (0..columns.min(pair.len())).map(|at| shade(pair, at)).collect()).collect()
}

fn line<'a>(name: &'a str, points: &'a [(f64, f64)], style: Style) -> Dataset<'a> {
    Dataset::default().name(name).marker(Marker::Braille).graph_type(GraphType::Line).style(style).data(points)
}

fn chart(
    frame: &mut Frame<'_>,
    area: Rect,
    title: String,
    sets: Vec<Dataset<'_>>,
    x: ([f64; 2], [String; 2]),
    y: ([f64; 2], fn(f64) -> String),
) {
    let labels = y.0.map(y.1);
    let chart = Chart::new(sets)
        .block(Block::bordered().title(title))
        .x_axis(Axis::default().bounds(x.0).labels(x.1))
        .y_axis(Axis::default().bounds(y.0).labels(labels));
    frame.render_widget(chart, area);
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::train::SplitScore;

    fn shown(screen: &Screen, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| screen.draw(frame)).unwrap();
        let buffer = terminal.backend().buffer();
        let row = |y: u16| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..height).map(row).collect()
    }

    fn screen() -> Screen {
        let mut screen = Screen::new(vec!["784-50-10 on the CPU".into()], 400, [4, 4]);
        let losses: Vec<f32> = (0..100).map(|step| 2.3 / (1.0 + step as f32 / 20.0)).collect();
        screen.losses(1, &losses[..50], 0.5);
        screen.losses(51, &losses[50..], 1.0);
        for epoch in [1.0, 2.0] {
            let score = |accuracy| SplitScore { loss: 0.1, accuracy };
            let (train, test) = (score(0.9 + 0.01 * epoch), score(0.85 + 0.01 * epoch));
            screen.evaluation(&Evaluation { step: 50, epoch, train, test });
        }
        screen.samples = vec![([[0; 8], [255; 8]].concat(), 7), (vec![128; 16], 3)];
        screen
    }

    #[test]
    fn everything_is_on_the_screen() {
        let rows = shown(&screen(), 100, 40);
        let all = rows.join("\n");
        for expected in [
            "784-50-10 on the CPU",
            "step 100/400  100.0 steps/s  3.0 s left",
            "loss 0.3866",
            "accuracy: train 92.00%, test 87.00%",
            "being learnt",
            "a 7",
            "a 3",
            "████  ▒▒▒▒",
            "epoch 2.0",
        ] {
            assert!(all.contains(expected), "{expected}:\n{all}");
        }
        let dots =
            |rows: &[String]| rows.concat().chars().filter(|symbol| ('\u{2801}'..='\u{28ff}').contains(symbol)).count();
        assert!(dots(&rows) > 30, "curves:\n{all}");
        // The control: before anything came back there are none.
        assert_eq!(dots(&shown(&Screen::new(Vec::new(), 400, [4, 4]), 100, 40)), 0);
    }

    #[test]
    fn no_size_of_terminal_is_too_small() {
        for (width, height) in [(1, 1), (3, 2), (20, 5), (40, 12), (400, 3), (5, 100)] {
            assert_eq!(shown(&screen(), width, height).len(), usize::from(height));
        }
    }
}
