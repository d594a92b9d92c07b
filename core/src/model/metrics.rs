//! How much there is to do and how it goes, as numbers and as OpenMetrics text.

use crate::id::AppId;
use crate::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// How an engine's work stands. What is counted «since the opening» is of this engine alone; everything else is of the file.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Metrics {
    /// When it was so.
    pub at: Timestamp,
    /// Log entries that this engine wrote since its opening.
    pub logged: u64,
    /// One app each, by id.
    pub apps: BTreeMap<AppId, AppMetrics>,
}

/// How the work for one app stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AppMetrics {
    /// Requests that are not finished, by what they wait for; `nothing` where their turn has come.
    pub open: BTreeMap<String, u64>,
    /// Those whose time has come.
    pub due: u64,
    /// When the next one's time comes, or came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_due: Option<Timestamp>,
    /// Those of which a call is under way.
    pub sending: u64,
    /// Removals of access that are not confirmed yet: the open gaps.
    pub removals: u64,
    /// Since when the oldest of them has been asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_removal: Option<Timestamp>,
    /// Until when the breaker keeps calls back, where it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<Timestamp>,
    /// When the access token in use was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_issued_at: Option<Timestamp>,
    /// When credentials end that only a person can renew, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_expire_at: Option<Timestamp>,
    /// Attempts since the opening, by their outcome.
    pub attempts: BTreeMap<String, u64>,
    /// Requests that ended since the opening, by how: `completed`, `failed`, `cancelled`.
    pub ended: BTreeMap<String, u64>,
}

/// Under what is counted that waits for nothing.
const NOTHING: &str = "nothing";

impl AppMetrics {
    /// Counts open requests by what they wait for.
    pub(crate) fn count(&mut self, wait: Option<&str>, count: u64) {
        *self.open.entry(wait.unwrap_or(NOTHING).to_owned()).or_default() += count;
    }

    /// Counts some of those that wait for one thing as waiting for another.
    pub(crate) fn count_instead(&mut self, wait: Option<&str>, other: &str, count: u64) {
        if let Some(counted) = self.open.get_mut(wait.unwrap_or(NOTHING)) {
            *counted = counted.saturating_sub(count);
        }
        self.open.retain(|_, counted| *counted > 0);
        self.count(Some(other), count);
    }
}

impl Metrics {
    /// The same in the text form that Prometheus and others read, version 1.0.0 of OpenMetrics
    /// (<https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>). Its media type is
    /// `application/openmetrics-text; version=1.0.0; charset=utf-8`.
    ///
    /// ```
    /// let engine = rollkeeper::Engine::builder().open()?;
    /// assert!(engine.metrics()?.to_open_metrics().ends_with("# EOF\n"));
    /// # Ok::<(), rollkeeper::Error>(())
    /// ```
    pub fn to_open_metrics(&self) -> String {
        let mut text = Exposition::default();
        text.family("rollkeeper_requests_open", "gauge", "Requests that are not finished, by what they wait for.");
        for (app, metrics) in &self.apps {
            for (waiting_for, count) in &metrics.open {
                text.sample("rollkeeper_requests_open", &[("app", app.as_str()), ("waiting_for", waiting_for)], count);
            }
        }
        self.gauge(&mut text, "rollkeeper_requests_due", "Requests whose time has come.", |app| Some(app.due));
        self.gauge(&mut text, "rollkeeper_calls_under_way", "Calls that have no answer yet.", |app| Some(app.sending));
        self.gauge(&mut text, "rollkeeper_removals_open", "Removals of access that are not confirmed yet.", |app| {
            Some(app.removals)
        });
        let age = |since: Timestamp| self.at.since(since).as_micros().cast_unsigned() / 1_000_000;
        let help = "How long the oldest removal of access has been open.";
        self.gauge(&mut text, "rollkeeper_oldest_removal_seconds", help, |app| app.oldest_removal.map(age));
        self.gauge(&mut text, "rollkeeper_target_paused", "Whether the breaker keeps calls back.", |app| {
            Some(u64::from(app.paused_until.is_some_and(|until| until > self.at)))
        });
        let help = "How old the access token in use is.";
        self.gauge(&mut text, "rollkeeper_token_age_seconds", help, |app| app.token_issued_at.map(age));
        let left = |end: Timestamp| end.since(self.at).as_micros().cast_unsigned() / 1_000_000;
        let help = "How long credentials last that only a person can renew.";
        self.gauge(&mut text, "rollkeeper_credentials_left_seconds", help, |app| app.credentials_expire_at.map(left));
        let by = |text: &mut Exposition, name, help, label, counts: fn(&AppMetrics) -> &BTreeMap<String, u64>| {
            text.family(name, "counter", help);
            for (app, metrics) in &self.apps {
                for (value, count) in counts(metrics) {
                    text.sample(&format!("{name}_total"), &[("app", app.as_str()), (label, value)], count);
                }
            }
        };
        by(&mut text, "rollkeeper_attempts", "Attempts since the opening.", "outcome", |app| &app.attempts);
        by(&mut text, "rollkeeper_requests_ended", "Requests that ended since the opening.", "how", |app| &app.ended);
        text.family("rollkeeper_log_entries", "counter", "Log entries written since the opening.");
        text.sample("rollkeeper_log_entries_total", &[], &self.logged);
        text.0.push_str("# EOF\n");
        text.0
    }

    fn gauge(&self, text: &mut Exposition, name: &str, help: &str, value: impl Fn(&AppMetrics) -> Option<u64>) {
        text.family(name, "gauge", help);
        for (app, metrics) in &self.apps {
            if let Some(value) = value(metrics) {
                text.sample(name, &[("app", app.as_str())], &value);
            }
        }
    }
}

/// The text that is being made.
#[derive(Default)]
struct Exposition(String);

impl Exposition {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to text cannot fail.
        let _ = writeln!(self.0, "# TYPE {name} {kind}\n# HELP {name} {help}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: &u64) {
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::{AppMetrics, Metrics};
    use crate::id::AppId;
    use crate::time::{Period, Timestamp};

    #[test]
    fn what_has_no_value_is_left_out_and_labels_are_escaped() {
        let now = Timestamp::from_micros(90_000_000);
        let crm = AppMetrics {
            open: [("retry".to_owned(), 2)].into(),
            oldest_removal: Some(Timestamp::from_micros(30_000_000)),
            paused_until: Some(now.plus(Period::from_seconds(1))),
            attempts: [("applied".to_owned(), 7)].into(),
            ..AppMetrics::default()
        };
        let apps = [(AppId::new("crm").unwrap(), crm), (AppId::new("a\"b").unwrap(), AppMetrics::default())];
        let text = Metrics { at: now, logged: 3, apps: apps.into() }.to_open_metrics();
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                "rollkeeper_requests_open{app=\"crm\",waiting_for=\"retry\"} 2",
                "rollkeeper_requests_due{app=\"a\\\"b\"} 0",
                "rollkeeper_requests_due{app=\"crm\"} 0",
                "rollkeeper_calls_under_way{app=\"a\\\"b\"} 0",
                "rollkeeper_calls_under_way{app=\"crm\"} 0",
                "rollkeeper_removals_open{app=\"a\\\"b\"} 0",
                "rollkeeper_removals_open{app=\"crm\"} 0",
                "rollkeeper_oldest_removal_seconds{app=\"crm\"} 60",
                "rollkeeper_target_paused{app=\"a\\\"b\"} 0",
                "rollkeeper_target_paused{app=\"crm\"} 1",
                "rollkeeper_attempts_total{app=\"crm\",outcome=\"applied\"} 7",
                "rollkeeper_log_entries_total 3",
            ]
        );
        assert!(text.ends_with("# EOF\n"));
    }
}
