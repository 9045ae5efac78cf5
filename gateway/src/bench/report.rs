//! Rows of figures, as a table for people and as JSON for machines.

use serde::Serialize;

#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// The row that this one is held against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) floor: Option<String>,
    /// This value divided by that of the floor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ratio: Option<f64>,
}

impl Report {
    /// Adds a figure, and shows it at once: a run takes minutes.
    pub(crate) fn add(
        &mut self,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        floor: Option<&str>,
    ) {
        let against = floor.and_then(|floor| self.rows.iter().find(|row| row.name == floor));
        let row = Row {
            name: name.into(),
            value,
            unit,
            floor: against.map(|row| row.name.clone()),
            ratio: against
                .filter(|row| row.value > 0.0)
                .map(|row| value / row.value),
        };
        row.print();
        self.rows.push(row);
    }

    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&self.rows)
    }
}

impl Row {
    fn print(&self) {
        let Self {
            name,
            value,
            unit,
            floor,
            ratio,
        } = self;
        // Three digits tell enough of a small figure.
        let digits = if *value < 10.0 { 3 } else { 1 };
        match (floor, ratio) {
            (Some(floor), Some(ratio)) => {
                println!("{name:<28} {value:>12.digits$} {unit:<10} {ratio:>6.2} x {floor}");
            }
            _ => println!("{name:<28} {value:>12.digits$} {unit:<10}"),
        }
    }
}
