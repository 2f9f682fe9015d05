//! The stable names of halts.

use super::Halt;
use crate::runtime::telemetry::names;

impl Halt {
    /// The reasons of all halts: labels of metrics, and sections of `docs/runbook.md`.
    pub const REASONS: [&str; 19] = [
        "other_topic",
        "other_cluster",
        "topic_recreated",
        "topic_missing",
        "too_few_partitions",
        "too_many_partitions",
        "foreign_record",
        "open_transaction",
        "topic_ahead",
        "topic_differs",
        "topic_behind",
        "checkpoint_ahead",
        "topic_new",
        "topic_emptied",
        "log_gap",
        "record_too_large",
        "other_publishing",
        "not_enforced",
        "no_checkpoint",
    ];

    /// The reason, one of [`Self::REASONS`].
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::OtherTopic { .. } => "other_topic",
            Self::OtherCluster { .. } => "other_cluster",
            Self::TopicRecreated { .. } => "topic_recreated",
            Self::TopicMissing { .. } => "topic_missing",
            Self::TooFewPartitions { .. } => "too_few_partitions",
            Self::TooManyPartitions { .. } => "too_many_partitions",
            Self::ForeignRecord { .. } => "foreign_record",
            Self::OpenTransaction { .. } => "open_transaction",
            Self::TopicAhead { .. } => "topic_ahead",
            Self::TopicDiffers { .. } => "topic_differs",
            Self::TopicBehind { .. } => "topic_behind",
            Self::CheckpointAhead { .. } => "checkpoint_ahead",
            Self::TopicNew { .. } => "topic_new",
            Self::TopicEmptied { .. } => "topic_emptied",
            Self::LogGap { .. } => "log_gap",
            Self::RecordTooLarge(_) => "record_too_large",
            Self::OtherPublishing { .. } => "other_publishing",
            Self::NotEnforced(_) => "not_enforced",
            Self::NoCheckpoint { .. } => "no_checkpoint",
        }
    }

    /// Begins the counters of halts, so that monitoring sees the first one as a change.
    pub(in crate::relay) fn begin_counting() {
        for reason in Self::REASONS {
            metrics::counter!(names::RELAY_HALTS, "reason" => reason).increment(0);
        }
    }

    /// Counts a halt.
    pub(in crate::relay) fn count(&self) {
        metrics::counter!(names::RELAY_HALTS, "reason" => self.reason()).increment(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variants of the enum in the names of this file.
    fn variants() -> Vec<String> {
        let file = syn::parse_file(include_str!("../halt.rs")).unwrap();
        let variants = file.items.iter().find_map(|item| match item {
            syn::Item::Enum(found) if found.ident == "Halt" => Some(&found.variants),
            _ => None,
        });
        variants.unwrap().iter().map(|variant| snake_case(&variant.ident.to_string())).collect()
    }

    fn snake_case(name: &str) -> String {
        let letters = name.chars().enumerate().flat_map(|(index, letter)| {
            let gap = (letter.is_uppercase() && index > 0).then_some('_');
            gap.into_iter().chain(letter.to_lowercase())
        });
        letters.collect()
    }

    #[test]
    fn every_halt_has_its_reason() {
        assert_eq!(variants(), Halt::REASONS);
        let halt = Halt::TopicMissing { topic: "t".to_owned() };
        assert_eq!(halt.reason(), "topic_missing");
    }
}
