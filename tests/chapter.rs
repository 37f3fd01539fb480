//! The walk through the chapter: every command of `docs/chapter.md` is run, in order and in one folder, and prints what
//! the text says, in both languages.
//!
//! Words must be the same. Numbers may differ as far as [`Tolerance`] allows, which depends on how they come about. What
//! tells of the machine is not compared: the rows `speed`, `time` and `device`, the seconds after `in`, the device that
//! a run is repeated on, the place of the largest of many rounding errors, and the bars of probabilities, whose numbers
//! stand before them. Of standard error, errors, warnings and hints belong to the text.

// Clippy knows tests by their attribute; helpers have none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

const ENGLISH: &str = include_str!("../docs/chapter.md");
const KOREAN: &str = include_str!("../docs/chapter.ko.md");

/// A part of the text that is not prose.
#[derive(Debug, Clone, PartialEq)]
enum Block {
    /// A file that later commands read: its name and what is in it.
    File(String, String),
    /// A command and the lines that it prints.
    Command(String, Vec<String>),
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else { continue };
        let mut body: Vec<_> = lines.by_ref().take_while(|line| *line != "```").map(str::to_string).collect();
        match kind.split_once(' ') {
            Some(("csv", name)) => blocks.push(Block::File(name.into(), body.join("\n") + "\n")),
            None if kind == "console" => {
                let command = body.remove(0);
                let command = command.strip_prefix("$ gpu-train ").unwrap_or_else(|| panic!("{command}"));
                blocks.push(Block::Command(command.into(), body));
            }
            _ => panic!("no rule for a block of {kind:?}"),
        }
    }
    blocks
}

/// A command's words, as a shell takes them apart.
fn words(command: &str) -> Vec<String> {
    let quoted = command.split('\'').enumerate().flat_map(|(index, part)| {
        let parts: Vec<_> = if index % 2 == 1 { vec![part] } else { part.split_whitespace().collect() };
        parts.into_iter().map(str::to_string).collect::<Vec<_>>()
    });
    quoted.collect()
}

/// How far a number may be from the text's: the share of it, or so much.
#[derive(Debug, Clone, Copy)]
struct Tolerance {
    share: f64,
    least: f64,
    /// Of a percentage, in hundredths.
    percentage: f64,
}

impl Tolerance {
    /// Data and formulas, in float64: all but the last of the ten digits shown, which a processor's own `exp` or `sin`
    /// may move.
    const EXACT: Self = Self { share: 1e-8, least: 1e-12, percentage: 0.0 };
    /// Thousands of steps of training in float32, whose sums run in another order on another device. The two runs of
    /// the chapter end alike to every digit shown on the CPU path and on lavapipe; the room is for other processors.
    const TRAINED: Self = Self { share: 0.03, least: 2e-4, percentage: 0.5 };
    /// The same as counts of test images.
    const COUNTED: Self = Self { share: 0.03, least: 4.0, percentage: 2.0 };

    fn of(command: &str) -> Self {
        match words(command)[0].as_str() {
            "data" | "loss" | "function" => Self::EXACT,
            "evaluate" => Self::COUNTED,
            _ => Self::TRAINED,
        }
    }

    fn holds(self, found: &str, expected: &str) -> bool {
        if found == expected {
            return true;
        }
        let (Some(a), Some(b)) = (Number::of(found), Number::of(expected)) else { return false };
        if (a.before, a.after) != (b.before, b.after) {
            return false;
        }
        let distance = (a.value - b.value).abs();
        if a.is_error || b.is_error {
            // Two digits are given of a rounding error, and only its size is the same everywhere; below the resolution
            // of what it is an error of, not even that.
            let (small, large) = (a.value.abs().min(b.value.abs()), a.value.abs().max(b.value.abs()));
            return large <= 10.0 * small || large < 1e-11;
        }
        let least = if a.after.starts_with('%') { self.percentage } else { self.least };
        distance <= (self.share * b.value.abs()).max(least)
    }
}

/// A number in a word, with what stands around it.
struct Number<'a> {
    before: &'a str,
    value: f64,
    after: &'a str,
    /// Whether it is given as the size of an error is: `1.2e-7`.
    is_error: bool,
}

impl<'a> Number<'a> {
    fn of(word: &'a str) -> Option<Self> {
        if word == "." {
            // A cell of a confusion matrix where nothing is.
            return Some(Self { before: "", value: 0.0, after: "", is_error: false });
        }
        let digits = |c: char| c.is_ascii_digit();
        let (first, last) = (word.find(digits)?, word.rfind(digits)? + 1);
        let first = if word[..first].ends_with(['-', '+']) { first - 1 } else { first };
        let number = &word[first..last];
        let is_error = number.split_once('e').is_some_and(|(digits, _)| digits.trim_start_matches('-').len() == 3);
        let value = number.replace(',', "").parse().ok()?;
        Some(Self { before: &word[..first], value, after: &word[last..], is_error })
    }
}

/// What of a line is compared: its words, less what tells of the machine.
fn compared(line: &str) -> Vec<&str> {
    let is_bar = |word: &str| word.chars().all(|c| ('\u{2588}'..='\u{258f}').contains(&c));
    let all: Vec<_> = line.split_whitespace().collect();
    match all.first() {
        Some(&first @ ("speed" | "time" | "device")) => return vec![first],
        None => return all,
        _ => {}
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut words = all.iter().peekable();
    while let Some(&word) = words.next() {
        kept.push(word);
        match word {
            "in" if all[0] == "steps" => break,
            "--device" => drop(words.next()),
            "at" if words.peek().is_some_and(|next| next.starts_with('[')) => {
                while words.next().is_some_and(|word| !word.ends_with(']')) {}
            }
            percent if percent.ends_with('%') && words.peek().is_some_and(|next| is_bar(next)) => drop(words.next()),
            _ => {}
        }
    }
    kept
}

fn alike(found: &[&str], expected: &[&str], tolerance: Tolerance) -> bool {
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| tolerance.holds(a, b))
}

/// The first difference between what was printed and what the text says.
fn difference(found: &[String], expected: &[String], tolerance: Tolerance) -> Option<String> {
    for index in 0..found.len().max(expected.len()) {
        let [found, expected] = [found, expected].map(|lines| lines.get(index).map_or("", String::as_str));
        if !alike(&compared(found), &compared(expected), tolerance) {
            return Some(format!("line {}\n  printed {found}\n  expected {expected}", index + 1));
        }
    }
    None
}

/// Runs a command in a folder: the lines that belong to the text.
fn run(command: &str, folder: &Path) -> Vec<String> {
    let mut run = Command::new(assert_cmd::cargo::cargo_bin!("gpu-train"));
    run.current_dir(folder).args(words(command)).stdin(Stdio::null()).env_remove("GPU_TRAIN_DATA_DIR");
    let done = run.output().unwrap();
    let [printed, told] = [done.stdout, done.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    let belongs = |line: &&str| ["error: ", "warning: ", "hint: "].iter().any(|start| line.starts_with(start));
    let told: Vec<_> = told.lines().filter(belongs).collect();
    let is_failure = told.iter().any(|line| line.starts_with("error: "));
    assert_eq!(done.status.code(), Some(i32::from(is_failure)), "{command}\n{told:?}");
    let all = printed.trim_matches('\n').lines().chain(told);
    all.map(|line| line.trim_end().to_string()).collect()
}

#[test]
fn every_command_prints_what_the_chapter_says() {
    let folder = TempDir::new().unwrap();
    let [english, korean] = [ENGLISH, KOREAN].map(blocks);
    for (block, other) in english.iter().zip(&korean) {
        let (command, expected, translated) = match (block, other) {
            (Block::Command(command, expected), Block::Command(_, translated)) => (command, expected, translated),
            (Block::File(name, text), _) => {
                std::fs::write(folder.path().join(name), text).unwrap();
                continue;
            }
            _ => panic!("{block:?}\n{other:?}"),
        };
        let found = run(command, folder.path());
        for (language, expected) in [("English", expected), ("Korean", translated)] {
            if let Some(difference) = difference(&found, expected, Tolerance::of(command)) {
                panic!("{language}: $ gpu-train {command}\n{difference}\n{}", found.join("\n"));
            }
        }
        if let Some(at) = words(command).iter().position(|word| word == "--plot") {
            let picture = std::fs::read_to_string(folder.path().join(&words(command)[at + 1])).unwrap();
            assert!(picture.starts_with("<svg"), "{command}");
        }
    }
}

#[test]
fn both_languages_have_the_same_commands_and_pictures() {
    let parts = |text: &str| {
        let commands: Vec<_> = blocks(text)
            .into_iter()
            .map(|block| match block {
                Block::Command(command, _) => Block::Command(command, Vec::new()),
                file => file,
            })
            .collect();
        let picture = |text: &str, before: &str| {
            let names = text.split(before).skip(1).filter_map(|rest| rest.split('"').next());
            names.map(str::to_string).collect::<Vec<_>>()
        };
        let (dark, light) = (picture(text, "srcset=\""), picture(text, "img src=\""));
        (commands, dark, light, text.matches("\n## ").count())
    };
    let (english, korean) = (parts(ENGLISH), parts(KOREAN));
    assert_eq!(english, korean);
    let (commands, dark, light, _) = english;
    assert!(commands.len() > 30 && light.len() > 8, "{} commands, {} pictures", commands.len(), light.len());
    let plots = commands.iter().filter_map(|block| match block {
        Block::Command(command, _) => words(command).iter().skip_while(|word| *word != "--plot").nth(1).cloned(),
        Block::File(..) => None,
    });
    let from_report = "weights.svg".to_string();
    let expected: Vec<_> = plots.chain([from_report]).map(|name| format!("pictures/{name}")).collect();
    assert_eq!(light, expected, "a picture for each --plot, and one of the report's");
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for (light, dark) in light.iter().zip(&dark) {
        assert_eq!(&light.replace(".svg", "-dark.svg"), dark);
        let [light, dark] = [light, dark].map(|name| std::fs::read_to_string(docs.join(name)).unwrap());
        assert!(light.starts_with("<svg") && dark.starts_with("<svg") && light != dark);
    }
}

/// What the comparison must find: otherwise it compares nothing.
#[test]
fn a_changed_number_and_a_changed_word_are_found() {
    let mut changed = 0;
    for block in blocks(ENGLISH) {
        let Block::Command(command, lines) = block else { continue };
        let tolerance = Tolerance::of(&command);
        assert_eq!(difference(&lines, &lines, tolerance), None, "{command}");
        for line in &lines {
            let words = compared(line);
            for (index, word) in words.iter().enumerate() {
                let other = match Number::of(word) {
                    // Beyond every tolerance.
                    Some(number) => format!("{}{}{}", number.before, 20.0 * number.value.abs() + 10.0, number.after),
                    None => format!("{word}x"),
                };
                let mut wrong = words.clone();
                wrong[index] = &other;
                assert!(!alike(&wrong, &words, tolerance), "{command}: {other} for {word} in {line}");
                changed += 1;
            }
        }
        let mut longer = lines.clone();
        longer.push("a line more".into());
        assert!(difference(&longer, &lines, tolerance).is_some() && difference(&lines, &longer, tolerance).is_some());
    }
    assert!(changed > 1_000, "{changed}");
    let exact = Tolerance::EXACT;
    assert!(exact.holds("0.510825457", "0.510825457") && !exact.holds("0.510825470", "0.510825457"));
    assert!(exact.holds("1.3e-12", "4.4e-12") && !exact.holds("4.4e-2", "4.4e-4"));
    let trained = Tolerance::TRAINED;
    assert!(trained.holds("82.61%", "82.48%") && !trained.holds("85.20%", "82.48%"));
    assert!(trained.holds("0.6163", "0.6170") && !trained.holds("0.6163", "0.5900"));
    assert!(trained.holds("(92.38%),", "(92.11%),") && !trained.holds("(92.38%),", "(92.38%)"));
    assert!(Tolerance::COUNTED.holds(".", "2") && !Tolerance::COUNTED.holds("right", "wrong"));
}
