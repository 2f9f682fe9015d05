//! Where a session continues: the decision on which exactly-once rests, as a pure function.

use super::halt::Halt;
use super::kafka::Tail;
use crate::domain::Position;
use crate::store::Checkpoint;

/// The cursor: the last published position, after which a session continues.
///
/// `tail` was read after every predecessor was fenced, so it is final. `log_end` is the last position of the log.
/// `is_volatile`: the cluster loses its topics when it stops, so an empty topic proves nothing.
pub(super) fn resume(
    checkpoint: &Checkpoint,
    tail: &Tail,
    log_end: Position,
    is_volatile: bool,
) -> Result<Position, Halt> {
    let shard = tail.shard;
    let known = checkpoint.position;
    if let Some(last) = tail.last.map(|published| published.position) {
        return if last > log_end {
            Err(Halt::TopicAhead { shard, topic_end: last, log_end })
        } else if last < known && !is_volatile {
            Err(Halt::TopicBehind { shard, topic_end: last, checkpoint: known })
        } else {
            Ok(last)
        };
    }
    if is_volatile {
        return Ok(Position::START);
    }
    if known > log_end {
        return Err(Halt::CheckpointAhead { shard, checkpoint: known, log_end });
    }
    if checkpoint.may_start_topic {
        return Ok(known);
    }
    if tail.was_trimmed {
        // Nothing can have been published after `known` if the log ends there, or if the last owner stored it while it drained.
        let is_certain = known == log_end || checkpoint.exact;
        return if is_certain { Ok(known) } else { Err(Halt::TopicEmptied { shard, checkpoint: known, log_end }) };
    }
    if known == Position::START { Ok(known) } else { Err(Halt::TopicNew { shard, checkpoint: known }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{RequestId, Shard, Version};
    use crate::relay::kafka::PublishedEvent;

    const LOG_END: u64 = 100;

    struct Case {
        checkpoint: u64,
        exact: bool,
        allowed: bool,
        trimmed: bool,
        tail: Option<u64>,
    }

    fn run(case: &Case, is_volatile: bool) -> Result<u64, Halt> {
        let shard = Shard::new(3);
        let checkpoint = Checkpoint {
            shard,
            position: Position::new(case.checkpoint),
            exact: case.exact,
            may_start_topic: case.allowed,
            ignored_to: -1,
            owner: uuid::Uuid::nil(),
        };
        let published = |position| PublishedEvent {
            position: Position::new(position),
            request: RequestId::new(uuid::Uuid::nil()),
            version: Version::FIRST,
        };
        let tail = Tail {
            shard,
            was_trimmed: case.trimmed,
            end: 0,
            open_from: None,
            foreign: None,
            last: case.tail.map(published),
        };
        resume(&checkpoint, &tail, Position::new(LOG_END), is_volatile).map(Position::get)
    }

    fn case(checkpoint: u64, tail: Option<u64>) -> Case {
        Case { checkpoint, exact: false, allowed: false, trimmed: false, tail }
    }

    #[test]
    fn the_tail_is_the_cursor() {
        assert_eq!(run(&case(0, Some(1)), false), Ok(1));
        assert_eq!(run(&case(40, Some(40)), false), Ok(40));
        assert_eq!(run(&case(40, Some(LOG_END)), false), Ok(LOG_END));
        assert_eq!(run(&Case { trimmed: true, ..case(40, Some(60)) }, false), Ok(60));
    }

    #[test]
    fn a_topic_ahead_of_the_log_halts_whatever_the_broker() {
        for is_volatile in [false, true] {
            let halted = run(&case(40, Some(LOG_END + 1)), is_volatile);
            assert!(matches!(halted, Err(Halt::TopicAhead { .. })), "{halted:?}");
        }
    }

    #[test]
    fn a_topic_behind_the_checkpoint_halts() {
        let halted = run(&case(40, Some(39)), false);
        assert!(matches!(halted, Err(Halt::TopicBehind { .. })), "{halted:?}");
    }

    #[test]
    fn a_new_topic_starts_only_with_a_new_log_or_by_permission() {
        assert_eq!(run(&case(0, None), false), Ok(0));
        assert!(matches!(run(&case(1, None), false), Err(Halt::TopicNew { .. })));
        assert!(matches!(run(&Case { exact: true, ..case(1, None) }, false), Err(Halt::TopicNew { .. })));
        assert_eq!(run(&Case { allowed: true, ..case(40, None) }, false), Ok(40));
    }

    #[test]
    fn an_emptied_topic_goes_on_only_if_the_place_is_certain() {
        let emptied = |case| Case { trimmed: true, ..case };
        assert_eq!(run(&emptied(case(LOG_END, None)), false), Ok(LOG_END));
        assert_eq!(run(&emptied(Case { exact: true, ..case(40, None) }), false), Ok(40));
        assert_eq!(run(&emptied(Case { allowed: true, ..case(40, None) }), false), Ok(40));
        assert!(matches!(run(&emptied(case(40, None)), false), Err(Halt::TopicEmptied { .. })));
        assert!(matches!(run(&emptied(case(LOG_END + 1, None)), false), Err(Halt::CheckpointAhead { .. })));
    }

    #[test]
    fn a_broker_that_keeps_nothing_is_filled_from_the_start() {
        assert_eq!(run(&case(40, None), true), Ok(0));
        assert_eq!(run(&case(40, Some(7)), true), Ok(7));
    }
}
