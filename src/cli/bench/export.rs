//! Results as files.

use std::fmt::Write;
use std::path::Path;

use super::{Document, text};
use crate::bench::Row;
use crate::{Error, Result, files};

/// The kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// What `--json` prints.
    Json,
    /// A row a line, under the keys of the JSON.
    Csv,
    /// Tables in Markdown.
    Markdown,
}

impl Format {
    /// The kind that a file's name ends on.
    ///
    /// # Errors
    /// [`Error::Config`] for another ending.
    pub(super) fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("json") => Ok(Self::Json),
            Some("csv") => Ok(Self::Csv),
            Some("md") => Ok(Self::Markdown),
            _ => Err(Error::config_hint(
                format!("{} is neither .json nor .csv nor .md", path.display()),
                "name a file that ends on one of them",
            )),
        }
    }

    /// Writes the file: complete, or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written.
    pub(super) fn write(self, document: &Document, path: &Path) -> Result<()> {
        let refuse = |error| Error::io("write", path, error);
        let text = match self {
            Self::Json => serde_json::to_string(document).map_err(|error| refuse(error.into()))? + "\n",
            Self::Csv => csv(&document.results),
            Self::Markdown => markdown(document),
        };
        files::write_whole(path, |out| out.write_all(text.as_bytes())).map_err(refuse)
    }
}

fn csv(rows: &[Row]) -> String {
    let mut text = String::from(
        "suite,name,shape,median_seconds,min_seconds,spread,outliers,runs,repeats,device_seconds,gflops,gbytes_per_second,\
         share_of_ceiling,ceiling,per_second\n",
    );
    let known = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    for row in rows {
        // Names and shapes have no quotation marks; shapes of networks have commas.
        let _ = writeln!(
            text,
            "{},{},\"{}\",{},{},{},{},{},{},{},{},{},{},{},{}",
            row.suite,
            row.name,
            row.shape,
            row.median_seconds,
            row.min_seconds,
            row.spread,
            row.outliers,
            row.runs,
            row.repeats,
            known(row.device_seconds),
            known(row.gflops),
            known(row.gbytes_per_second),
            known(row.share_of_ceiling),
            row.ceiling.unwrap_or_default(),
            row.per_second,
        );
    }
    text
}

fn markdown(document: &Document) -> String {
    let mut text = format!("# gpu-train {} bench\n\n{}\n\n", document.version, document.device);
    let mut table = |headings: &[&str], rows: &[Vec<String>]| {
        let rule = headings.iter().map(|_| "---").collect::<Vec<_>>();
        let _ = writeln!(text, "| {} |\n| {} |", headings.join(" | "), rule.join(" | "));
        for row in rows {
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        text.push('\n');
    };
    let ceilings = text::ceilings(&document.ceilings);
    table(
        &["ceiling", "measured"],
        &ceilings.into_iter().map(|(name, value)| vec![name.into(), value]).collect::<Vec<_>>(),
    );
    let rows: Vec<_> = document.results.iter().map(|row| text::cells(row).to_vec()).collect();
    table(&text::HEADINGS, &rows);
    text
}
