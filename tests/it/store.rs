//! One suite of behaviour over both stores: what holds for one holds for the other.

mod batches;
mod catalogue;
mod clean;
mod days;
mod durability;
mod keys;
mod limits;
mod lists;
mod log;
mod opening;
mod place;
mod races;
mod silence;
mod writes;

pub(crate) use place::{Place, whole_log};

/// Runs every test on each store, in a database of its own.
macro_rules! suite {
    ($($module:ident { $($test:ident)+ })+) => {
        mod on_postgres {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    super::$module::$test(&super::Place::postgres().await).await;
                }
            )+)+
        }
        mod on_sqlite {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    super::$module::$test(&super::Place::sqlite()).await;
                }
            )+)+
        }
    };
}

suite! {
    writes {
        what_was_created_is_read_back
        what_does_not_exist_is_left_out_of_what_is_read
        every_state_is_read_back_as_it_was_written
        every_command_that_took_effect_has_one_event
        positions_are_dense_from_one_in_every_shard
        a_refused_member_leaves_its_neighbours_alone
        a_batch_of_refused_commands_changes_nothing
        a_batch_that_reads_too_much_is_carried_out_in_parts
        an_empty_batch_changes_nothing
        a_command_for_another_version_is_refused
        a_clock_gone_astray_does_not_stop_the_log
        a_request_is_taken_only_with_room_for_its_later_steps
    }
    keys {
        a_repeated_call_hears_the_first_reply_and_changes_nothing
        a_repeated_creation_is_answered_after_its_template_was_disabled
        the_first_reply_is_repeated_even_if_the_request_has_changed_since
        a_key_used_for_something_else_is_refused
        keys_of_different_callers_never_meet
        a_refused_command_does_not_use_up_its_key
        a_repeated_call_leaves_its_neighbours_alone
        a_key_of_a_step_that_changed_nothing_is_kept
        a_step_that_changed_nothing_is_answered_as_it_was
        a_repeated_change_of_a_card_shows_the_card_as_it_was
        one_key_in_many_batches_at_once_creates_one_request
        one_key_in_many_batches_at_once_takes_one_step
    }
    races {
        exactly_as_many_approvals_count_as_are_needed
        approving_and_canceling_at_once_ends_canceled
        batches_over_the_same_requests_all_come_through
        creations_from_everywhere_leave_no_gap
    }
    lists {
        a_list_shows_what_meets_every_filter
        pages_follow_each_other_without_gap_or_repetition
        large_requests_are_read_a_few_at_a_time
    }
    log {
        the_log_is_read_in_pages
        large_events_of_the_log_are_read_a_few_at_a_time
        the_log_tells_when_the_next_event_was_made
        checkpoints_are_read_back_as_they_were_put
        checkpoints_that_are_not_put_stay
        a_run_that_was_overtaken_writes_no_checkpoint
        the_log_keeps_its_topic
    }
    catalogue {
        a_completed_request_tells_what_it_made
        a_request_that_keeps_an_unknown_card_or_fails_tells_nothing
        a_completed_request_changes_where_its_card_stands
        nobody_completes_a_request_with_what_somebody_else_holds
        of_two_requests_that_leave_the_same_card_one_is_refused
        a_card_is_bound_to_one_request_and_given_back_by_its_end
        one_card_in_many_batches_at_once_is_bound_once
        the_profiles_and_cards_of_a_user_are_listed_in_pages
        what_was_issued_elsewhere_can_be_made_known
        the_card_retired_last_is_the_one_that_is_found
        a_template_gets_a_new_version_only_when_it_differs
    }
    batches {
        any_batch_does_what_its_members_do_one_by_one
        any_import_leads_where_the_domain_says
        cards_exchange_their_ids_in_one_import
    }
    opening {
        what_was_acknowledged_is_there_after_a_restart
        two_processes_share_one_database
        a_database_that_is_divided_otherwise_is_refused
        a_newer_schema_is_refused
        a_lane_is_run_by_one_process
        processes_can_start_together
        maintenance_forgets_old_keys_only
        a_clock_that_is_ahead_forgets_no_keys
        maintenance_can_begin_after_the_first_events
        a_store_that_answers_says_so
    }
}
