//! Figures for Prometheus. Labels are words of this program, never ids.

use inference::{Lane, Load};
use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use store::QueueCounts;

/// The service's figures.
pub struct Metrics {
    registry: Registry,
    reports_received: IntCounter,
    submissions_refused: IntCounter,
    access_denied: IntCounterVec,
    case_transitions: IntCounterVec,
    jobs_failed: IntCounterVec,
    assessment_seconds: Histogram,
    queue_cases: IntGaugeVec,
    jobs_open: IntGauge,
    engine_waiting: IntGaugeVec,
    engine_tokens_per_second: prometheus::Gauge,
    engine_refused: IntGaugeVec,
    audit_sequenced: IntCounter,
    leak_trials: IntCounter,
    leak_trials_leaking: IntCounter,
}

impl Metrics {
    /// A new set, all at zero.
    ///
    /// # Errors
    /// When two figures have one name, which is a mistake in this file.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new_custom(Some("countersign".to_owned()), None)?;
        let labelled = |name: &str, help: &str, label: &str| -> Result<IntCounterVec, prometheus::Error> {
            let counter = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let plain = |name: &str, help: &str| -> Result<IntCounter, prometheus::Error> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let reports_received = plain("reports_received_total", "Versions of reports stored.")?;
        let submissions_refused = plain("submissions_refused_total", "Bodies that the FHIR door refused.")?;
        let audit_sequenced = plain(
            "audit_sequenced_total",
            "Audit entries that got an index and a leaf.",
        )?;
        let leak_trials = plain(
            "leak_trials_total",
            "Nightly trials of the gateway with planted canaries.",
        )?;
        let leak_trials_leaking = plain("leak_trials_leaking_total", "Those of them that leaked.")?;
        let access_denied = labelled("access_denied_total", "Refusals by the access policy.", "verb")?;
        let case_transitions = labelled("case_transitions_total", "Moves of cases.", "to")?;
        let jobs_failed = labelled("jobs_failed_total", "Failed tries of background work.", "kind")?;
        // 50 ms to 51 s: a short note takes a fraction of a second, a long one of several windows tens of seconds.
        let buckets = prometheus::exponential_buckets(0.05, 2.0, 11)?;
        let assessment_seconds = Histogram::with_opts(
            HistogramOpts::new("assessment_seconds", "Time to classify and explain one note.")
                .buckets(buckets),
        )?;
        registry.register(Box::new(assessment_seconds.clone()))?;
        let queue_cases = IntGaugeVec::new(Opts::new("queue_cases", "Current cases by state."), &["state"])?;
        registry.register(Box::new(queue_cases.clone()))?;
        let jobs_open = IntGauge::new("jobs_open", "Background work that waits or runs.")?;
        registry.register(Box::new(jobs_open.clone()))?;
        let engine_waiting = IntGaugeVec::new(
            Opts::new(
                "engine_waiting_tokens",
                "Word pieces that wait for the engine, by lane.",
            ),
            &["lane"],
        )?;
        registry.register(Box::new(engine_waiting.clone()))?;
        let engine_tokens_per_second = prometheus::Gauge::new(
            "engine_tokens_per_second",
            "Word pieces that the engine reads in a second, measured on its own batches.",
        )?;
        registry.register(Box::new(engine_tokens_per_second.clone()))?;
        let engine_refused = IntGaugeVec::new(
            Opts::new(
                "engine_refused_requests",
                "Requests that got no answer since the start, the queue being full or the deadline over.",
            ),
            &["reason"],
        )?;
        registry.register(Box::new(engine_refused.clone()))?;
        Ok(Self {
            registry,
            reports_received,
            submissions_refused,
            access_denied,
            case_transitions,
            jobs_failed,
            assessment_seconds,
            queue_cases,
            jobs_open,
            engine_waiting,
            engine_tokens_per_second,
            engine_refused,
            audit_sequenced,
            leak_trials,
            leak_trials_leaking,
        })
    }

    /// Versions were stored.
    pub fn received(&self, count: u64) {
        self.reports_received.inc_by(count);
    }
    /// A body was refused.
    pub fn refused(&self) {
        self.submissions_refused.inc();
    }
    /// The policy refused a verb.
    pub fn denied(&self, verb: &'static str) {
        self.access_denied.with_label_values(&[verb]).inc();
    }
    /// A case moved.
    pub fn transition(&self, to: &'static str) {
        self.case_transitions.with_label_values(&[to]).inc();
    }
    /// A try of background work failed.
    pub fn job_failed(&self, kind: &'static str) {
        self.jobs_failed.with_label_values(&[kind]).inc();
    }
    /// A note was assessed.
    pub fn assessed(&self, took: std::time::Duration) {
        self.assessment_seconds.observe(took.as_secs_f64());
    }
    /// Entries got an index.
    pub fn sequenced(&self, count: u64) {
        self.audit_sequenced.inc_by(count);
    }
    /// A night's trials of the gateway are over.
    pub fn leak_trials(&self, trials: u64, leaking: u64) {
        self.leak_trials.inc_by(trials);
        self.leak_trials_leaking.inc_by(leaking);
    }
    /// What the queue holds now.
    pub fn queue(&self, counts: QueueCounts, jobs: i64) {
        for (state, count) in [
            ("incoming", counts.incoming),
            ("waiting", counts.waiting),
            ("claimed", counts.claimed),
            ("signed", counts.signed),
        ] {
            self.queue_cases.with_label_values(&[state]).set(count);
        }
        self.jobs_open.set(jobs);
    }

    /// What the engine holds now.
    pub fn engine(&self, load: &Load) {
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        for (lane, tokens) in Lane::ALL.into_iter().zip(load.waiting) {
            self.engine_waiting
                .with_label_values(&[lane.as_str()])
                .set(i64::try_from(tokens).unwrap_or(i64::MAX));
        }
        self.engine_tokens_per_second.set(load.tokens_per_s);
        for (reason, refused) in [("overloaded", load.refused), ("late", load.late)] {
            self.engine_refused
                .with_label_values(&[reason])
                .set(count(refused));
        }
    }

    /// Text format 0.0.4.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        // Writing to memory does not fail.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        text
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn figures_are_rendered() {
        let metrics = super::Metrics::new().expect("names differ");
        metrics.received(2);
        let text = String::from_utf8(metrics.render()).expect("text");
        assert!(text.contains("countersign_reports_received_total 2"), "{text}");
    }
}
