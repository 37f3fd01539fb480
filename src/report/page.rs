//! A report as one HTML page that needs nothing else: no network, and its one script only adds to it.

use std::collections::BTreeSet;
use std::io;

use serde_json::Value;

use super::findings::{Findings, Mistake};
use super::page_script;
use super::plot::{self, Axis, Figure, Histogram, Lines, Panel, Series, Stroke, Theme};
use super::recorded::RecordedRun;
use super::{count, duration, percent, share_range, significant};
use crate::data::Split;

/// A run with what could be found out about it.
#[derive(Debug)]
pub struct RunReport<'a> {
    /// What was recorded.
    pub run: &'a RecordedRun,
    /// What it looks for in images: the first layer's weights.
    pub weights: Option<Figure>,
    /// What it does with its data set and that set's test split, or a sentence that says why that is not known.
    pub findings: Result<(&'a Findings, &'a Split), String>,
}

/// The page.
///
/// # Errors
/// When a picture cannot be drawn.
pub fn page(reports: &[RunReport<'_>]) -> io::Result<String> {
    let names: Vec<_> = reports.iter().map(|report| report.run.name.as_str()).collect();
    let title = format!("Training report: {}", names.join(", "));
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{}'\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n<h1>{}</h1>\n",
        page_script::DIGEST,
        safe(&title),
        include_str!("page.css"),
        safe(&title)
    );
    html.push_str("<nav aria-label=\"Sections\"><ul><li><a href=\"#runs\">What was run</a></li>");
    if reports.len() > 1 {
        html.push_str("<li><a href=\"#comparison\">Side by side</a></li>");
    }
    for (index, name) in names.iter().enumerate() {
        html.push_str(&format!("<li><a href=\"#run-{index}\">{}</a></li>", safe(name)));
    }
    html.push_str("</ul></nav>\n");
    overview(&mut html, reports);
    if reports.len() > 1 {
        html.push_str("<section id=\"comparison\"><h2>Side by side</h2>\n<div class=\"grid\">\n");
        for figure in comparison(reports) {
            picture(&mut html, &figure)?;
        }
        html.push_str("</div></section>\n");
    }
    for (index, report) in reports.iter().enumerate() {
        section(&mut html, index, report)?;
    }
    html.push_str(&format!("</main>\n<script>{}</script>\n</body>\n</html>\n", page_script::SCRIPT));
    Ok(html)
}

/// Text as it stands in HTML, in attributes too.
fn safe(text: &str) -> String {
    plot::escaped(text)
}

/// What is told of a run, where it is known.
type Told = fn(&RecordedRun) -> Option<String>;

/// The last step in the log, and whether there were to be more.
fn steps_done(run: &RecordedRun) -> String {
    match run.settings.get("steps").and_then(serde_json::Value::as_u64) {
        Some(wanted) if run.steps < wanted => format!("{}: stopped before the end", count(run.steps)),
        _ => count(run.steps),
    }
}

/// Results and settings, a column a run; where they differ, that is shown.
fn overview(html: &mut String, reports: &[RunReport<'_>]) {
    html.push_str("<section id=\"runs\"><h2>What was run</h2>\n");
    html.push_str("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Results and settings\"><table>\n<thead><tr><th></th>");
    for report in reports {
        html.push_str(&format!("<th scope=\"col\">{}</th>", safe(&report.run.name)));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    let results: [(&str, Told); 8] = [
        ("test accuracy", |run| Some(percent(run.curves.evaluations.last()?.test.accuracy))),
        ("training accuracy", |run| Some(percent(run.curves.evaluations.last()?.train.accuracy))),
        ("test loss", |run| Some(significant(run.curves.evaluations.last()?.test.loss))),
        ("training loss", |run| Some(significant(run.curves.evaluations.last()?.train.loss))),
        ("steps done", |run| Some(steps_done(run))),
        ("time of training", |run| Some(duration(run.summary.as_ref()?.get("seconds")?.as_f64()?))),
        ("steps per second", |run| Some(significant(run.summary.as_ref()?.get("steps_per_second")?.as_f64()?))),
        ("loss evaluations", |run| Some(significant(run.summary.as_ref()?.get("loss_evaluations")?.as_f64()?))),
    ];
    for (name, value) in results {
        row(html, name, &reports.iter().map(|report| value(report.run)).collect::<Vec<_>>(), false);
    }
    let mut known = BTreeSet::new();
    for report in reports {
        for key in report.run.settings.as_object().into_iter().flat_map(|settings| settings.keys()) {
            if key != "repeat" && known.insert(key) {
                let values: Vec<_> = reports.iter().map(|report| report.run.setting(key)).collect();
                row(html, &key.replace('_', " "), &values, values.windows(2).any(|pair| pair[0] != pair[1]));
            }
        }
    }
    html.push_str("</tbody></table></div>\n");
    if reports.len() > 1 {
        html.push_str("<p class=\"soft\">Bold: settings in which the runs differ.</p>\n");
    }
    html.push_str("</section>\n");
}

/// A row, where there is anything in it.
fn row(html: &mut String, name: &str, values: &[Option<String>], differs: bool) {
    if values.iter().all(Option::is_none) {
        return;
    }
    let class = if differs { " class=\"differs\"" } else { "" };
    html.push_str(&format!("<tr{class}><th scope=\"row\">{}</th>", safe(name)));
    for value in values {
        html.push_str(&format!("<td>{}</td>", safe(value.as_deref().unwrap_or("–"))));
    }
    html.push_str("</tr>\n");
}

/// Mean loss, and the test split's accuracy and loss, of all runs.
fn comparison(reports: &[RunReport<'_>]) -> Vec<Figure> {
    let axis = |label: &str| Axis { label: label.into(), logarithmic: false, range: None };
    let figure = |title: &str, lines: Lines| Figure { title: title.into(), panels: vec![Panel::Lines(lines)] };
    let of = |value: fn(&crate::train::Evaluation) -> f64| -> Vec<Series> {
        reports.iter().map(|report| report.run.curves.evaluated(&report.run.name, Stroke::Solid, value)).collect()
    };
    let means = reports.iter().filter_map(|report| {
        let mean = report.run.curves.losses.series("").pop()?;
        Some(Series { name: report.run.name.clone(), ..mean })
    });
    let losses = Lines { x: axis("step"), y: axis("mean loss of the batches"), series: means.collect() };
    let accuracies = of(|evaluation| evaluation.test.accuracy);
    let accuracy =
        Lines { x: axis("epoch"), y: Axis { range: share_range(&accuracies), ..axis("accuracy") }, series: accuracies };
    let test =
        Lines { x: axis("epoch"), y: axis("loss of the test split"), series: of(|evaluation| evaluation.test.loss) };
    vec![figure("Loss in training", losses), figure("Test accuracy", accuracy), figure("Test loss", test)]
}

/// All that is about one run.
fn section(html: &mut String, index: usize, report: &RunReport<'_>) -> io::Result<()> {
    let run = report.run;
    html.push_str(&format!("<section id=\"run-{index}\"><h2>{}</h2>\n", safe(&run.name)));
    if let Some(command) = run.settings.get("repeat").and_then(Value::as_str) {
        html.push_str(&format!("<p>The same again: <code>{}</code></p>\n", safe(command)));
    }
    html.push_str("<h3>Curves</h3>\n<div class=\"grid\">\n");
    let titles = ["Loss of the batches", "Accuracy", "Loss of the splits"];
    for (panel, title) in run.curves.figure(String::new()).panels.into_iter().zip(titles) {
        picture(html, &Figure { title: title.into(), panels: vec![panel] })?;
    }
    html.push_str("</div>\n");
    losses(html, run);
    evaluations(html, run);
    if let Some(weights) = &report.weights {
        html.push_str("<h3>What the first layer looks for</h3>\n");
        picture(html, weights)?;
    }
    match &report.findings {
        Err(reason) => html.push_str(&format!("<p class=\"soft\">{}</p>\n", safe(reason))),
        Ok((findings, test)) => found(html, findings, test)?,
    }
    html.push_str("</section>\n");
    Ok(())
}

/// Opens a table that unfolds, for whoever cannot point at a picture.
fn numbers(html: &mut String, what: &str, headings: &[&str]) {
    html.push_str(&format!("<details><summary>{} as numbers</summary>\n<table>\n<thead><tr>", safe(what)));
    for heading in headings {
        html.push_str(&format!("<th scope=\"col\">{}</th>", safe(heading)));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
}

/// The running mean of the losses.
fn losses(html: &mut String, run: &RecordedRun) {
    /// More rows than this are thinned.
    const ROWS: usize = 50;
    let Some(mean) = run.curves.losses.series("").pop().filter(|mean| !mean.points.is_empty()) else { return };
    numbers(html, "The losses", &["step", &mean.name]);
    let every = mean.points.len().div_ceil(ROWS);
    for (step, loss) in mean.points.iter().step_by(every) {
        let (step, loss) = (count(step.round() as u64), significant(*loss));
        html.push_str(&format!("<tr><th scope=\"row\">{step}</th><td>{loss}</td></tr>\n"));
    }
    html.push_str("</tbody></table></details>\n");
}

/// Bars of a histogram.
fn bars(html: &mut String, name: &str, histogram: &Histogram) {
    numbers(html, &format!("The gradient of {name}"), &["from", "to", "values"]);
    for (ends, &values) in histogram.edges.windows(2).zip(&histogram.counts) {
        let (from, to, values) = (significant(ends[0]), significant(ends[1]), count(values));
        html.push_str(&format!("<tr><td>{from}</td><td>{to}</td><td>{values}</td></tr>\n"));
    }
    html.push_str("</tbody></table></details>\n");
}

/// The evaluations.
fn evaluations(html: &mut String, run: &RecordedRun) {
    /// More rows than this are thinned.
    const ROWS: usize = 50;
    let all = &run.curves.evaluations;
    if all.is_empty() {
        return;
    }
    let headings = ["step", "epoch", "training accuracy", "test accuracy", "training loss", "test loss"];
    numbers(html, "The evaluations", &headings);
    let every = all.len().div_ceil(ROWS);
    // The last is always among them.
    for evaluation in all.iter().rev().step_by(every).collect::<Vec<_>>().into_iter().rev() {
        let (step, epoch) = (count(evaluation.step), evaluation.epoch);
        let [train, test] = [&evaluation.train, &evaluation.test].map(|score| percent(score.accuracy));
        let [train_loss, test_loss] = [&evaluation.train, &evaluation.test].map(|score| significant(score.loss));
        html.push_str(&format!(
            "<tr><th scope=\"row\">{step}</th><td>{epoch:.2}</td><td>{train}</td><td>{test}</td><td>{train_loss}</td>\
             <td>{test_loss}</td></tr>\n"
        ));
    }
    html.push_str("</tbody></table></details>\n");
}

/// What the network does with its data set.
fn found(html: &mut String, findings: &Findings, test: &Split) -> io::Result<()> {
    let answers = &findings.answers;
    let (right, samples) = (answers.right, answers.samples);
    let share = percent(right as f64 / samples.max(1) as f64);
    let [right, samples] = [right, samples].map(|number| count(number as u64));
    html.push_str(&format!("<h3>Right and wrong</h3>\n<p>{right} of {samples} test images are right: {share}.</p>\n"));
    html.push_str("<div class=\"grid\">\n");
    picture(html, &answers.confusion_figure())?;
    html.push_str("</div>\n");
    if !answers.mistakes.is_empty() {
        html.push_str("<h3>What it got wrong, the surest first</h3>\n<ul class=\"samples\">\n");
        for mistake in &answers.mistakes {
            sample(html, mistake, test)?;
        }
        html.push_str("</ul>\n");
    }
    let batch = findings.batch;
    html.push_str(&format!("<h3>The gradient of the first {batch} training images</h3>\n<div class=\"grid\">\n"));
    let figures = findings.gradient_figures();
    for figure in &figures {
        picture(html, figure)?;
    }
    html.push_str("</div>\n");
    let names = findings.gradient.iter().filter(|(name, _)| name.ends_with("weight"));
    for ((name, _), figure) in names.zip(&figures) {
        if let [Panel::Histogram(histogram)] = figure.panels.as_slice() {
            bars(html, name, histogram);
        }
    }
    checks(html, findings);
    Ok(())
}

/// An image, what it is, what it was taken for, and the output of every class.
fn sample(html: &mut String, mistake: &Mistake, test: &Split) -> io::Result<()> {
    let Mistake { index, label, chosen, outputs } = mistake;
    let address = plot::image_address(test.columns(), test.image(*index))?;
    html.push_str(&format!(
        "<li><p class=\"what\">image {index}: a <b>{label}</b> taken for a <b>{chosen}</b></p><div class=\"pair\">\
         <img src=\"{address}\" width=\"84\" height=\"84\" alt=\"test image {index}, of class {label}\"><div class=\"bars\">"
    ));
    for (class, &output) in outputs.iter().enumerate() {
        let kind = if class == *label {
            " true"
        } else if class == *chosen {
            " chosen"
        } else {
            ""
        };
        let (width, output) = (100.0 * output.clamp(0.0, 1.0), f64::from(output));
        let text = if output < 0.9995 { format!("{:.1}%", 100.0 * output) } else { format!("{:.2}%", 100.0 * output) };
        html.push_str(&format!(
            "<div class=\"bar{kind}\" title=\"class {class}: {}\"><span>{class}</span><i style=\"width:{width:.1}%\"></i><b>{text}</b></div>",
            significant(output)
        ));
    }
    html.push_str("</div></div></li>\n");
    Ok(())
}

/// The gradient check as a table.
fn checks(html: &mut String, findings: &Findings) {
    let wrong = findings.checks.iter().filter(|check| !check.passed).count();
    html.push_str("<h3>Gradient check</h3>\n<p>The numerical gradient (central difference, h = 1e-4) against back-propagation, and against sampled quotients in float64: ");
    match wrong {
        0 => html.push_str("every tensor passes.</p>\n"),
        _ => html.push_str(&format!(
            "<span class=\"wrong\">{wrong} of {} tensors fail.</span></p>\n",
            findings.checks.len()
        )),
    }
    html.push_str(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Gradient check\"><table>\n<thead><tr>",
    );
    for heading in ["tensor", "to back-propagation", "estimate", "largest error", "to float64", ""] {
        html.push_str(&format!("<th scope=\"col\">{heading}</th>"));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for check in &findings.checks {
        let numbers = [check.relative_error, check.estimate, check.max_abs_error, check.quotient_error];
        html.push_str(&format!("<tr><th scope=\"row\">{}</th>", safe(&check.tensor.name)));
        for number in numbers {
            html.push_str(&format!("<td>{number:.1e}</td>"));
        }
        let verdict = if check.passed { "ok" } else { "<span class=\"wrong\">wrong</span>" };
        html.push_str(&format!("<td>{verdict}</td></tr>\n"));
    }
    html.push_str(
        "</tbody></table></div>\n<p class=\"soft\">Errors and estimates as shares of the norm, but the largest.</p>\n",
    );
}

/// A figure for either theme; the page's style shows the one that fits.
fn picture(html: &mut String, figure: &Figure) -> io::Result<()> {
    let [light, dark] = [Theme::Light, Theme::Dark].map(|theme| plot::narrow_svg(figure, theme));
    let (light, dark) = (light?, dark?);
    html.push_str(&format!("<figure><div class=\"light\">{light}</div><div class=\"dark\">{dark}</div></figure>\n"));
    Ok(())
}
