//! Turns the printed figures into a page.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::{BENCHES, Bench};
use crate::json::field;
use crate::{cargo, machine};

/// The whole page, from the figures kept in `folder`.
pub fn write(folder: &Path) -> Result<String> {
    let machine = machine::look(&cargo::target());
    let mut page = String::from(
        "# Benchmarks\n\nWritten by `cargo xtask bench`. A ratio holds the product against an ideal in the same run; \
         absolute figures\nof different runs say little, least of all on a machine that others use.\n\n",
    );
    page.push_str(&format!(
        "Machine: {} cores ({}), {} GiB of memory, Linux {}, {}; load at the end {}.\n",
        machine.cores, machine.processor, machine.memory_gib, machine.kernel, machine.disk, machine.load
    ));
    for bench in BENCHES {
        if let Ok(lines) = fs::read_to_string(folder.join(bench.name)) {
            page.push_str(&section(bench, &lines));
        }
    }
    Ok(page)
}

/// One line for the terminal.
pub fn shown(line: &str) -> String {
    let Some(figure) = field(line, "figure") else {
        return line.to_owned();
    };
    let number = number(line, "value");
    let unit = field(line, "unit").unwrap_or_default();
    match known(line, "ratio") {
        Some(ratio) => format!("{figure}: {number} {unit} (ratio {ratio})"),
        None => format!("{figure}: {number} {unit}"),
    }
}

fn section(bench: &Bench, lines: &str) -> String {
    let mut text = format!("\n## {}\n\n{}\n\n", title(bench.name), bench.about);
    if let Some(load) = lines.lines().next().and_then(|line| field(line, "load")) {
        text.push_str(&format!("Load before: {load}.\n\n"));
    }
    text.push_str("| Figure | Value | Ideal | Unit | Ratio | Goal |\n|---|---:|---:|---|---:|---:|\n");
    for line in lines.lines().filter(|line| field(line, "figure").is_some()) {
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            field(line, "figure").unwrap_or_default().replace('|', "/"),
            number(line, "value"),
            number(line, "ideal"),
            field(line, "unit").unwrap_or_default(),
            known(line, "ratio").unwrap_or_default(),
            known(line, "goal").unwrap_or_default(),
        ));
    }
    text
}

fn title(name: &str) -> String {
    let name = name.replace('_', " ");
    let (first, rest) = name.split_at(1);
    first.to_uppercase() + rest
}

/// A ratio or goal as a person reads it; nothing when it was not given.
fn known(line: &str, name: &str) -> Option<String> {
    let text = field(line, name)?;
    if text == "null" {
        return None;
    }
    Some(text.parse::<f64>().map_or(text, |number| format!("{number:.2}")))
}

/// A number with as many digits as mean something.
fn number(line: &str, name: &str) -> String {
    let text = field(line, name).unwrap_or_default();
    match text.parse::<f64>() {
        Ok(number) if number.abs() >= 100.0 => grouped(number.round() as i64),
        Ok(number) => format!("{number:.3}")
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned(),
        Err(_) => text,
    }
}

/// 1234567 as `1 234 567`.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len() - index;
        if index > 0 && left.is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_becomes_a_row() {
        let lines = "{\"load\":\"0.1 0.2 0.3\"}\n\
                     {\"bench\":\"append\",\"figure\":\"16 callers\",\"value\":41234.6,\"unit\":\"1/s\",\"ratio\":0.913}\n";
        let text = section(&BENCHES[0], lines);
        assert!(
            text.contains("| 16 callers | 41 235 |  | 1/s | 0.91 |  |"),
            "{text}"
        );
        assert!(text.contains("Load before: 0.1 0.2 0.3."));
    }

    #[test]
    fn small_numbers_keep_their_digits_and_large_ones_are_grouped() {
        assert_eq!(number("{\"value\":0.12}", "value"), "0.12");
        assert_eq!(number("{\"value\":1234567}", "value"), "1 234 567");
    }
}
