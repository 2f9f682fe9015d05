//! One suite that runs against both stores.

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
mod races;
mod silence;
mod steps;
mod users;
mod vitals;
mod writes;

pub(crate) use steps::whole_log;

use crate::support::database::TestDatabase;

/// Runs every test on each store, in its own database.
macro_rules! suite {
    ($($module:ident { $($test:ident)+ })+) => {
        mod on_postgres {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    super::$module::$test(&super::TestDatabase::postgres().await).await;
                }
            )+)+
        }
        mod on_sqlite {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    super::$module::$test(&super::TestDatabase::sqlite()).await;
                }
            )+)+
        }
    };
}

suite! {
    writes {
        a_created_request_is_read_back
        a_read_leaves_out_requests_that_do_not_exist
        every_state_is_read_back_as_it_was_written
        every_command_that_took_effect_has_one_event
        positions_are_dense_from_one_in_every_shard
        a_refused_member_leaves_its_neighbours_alone
        a_batch_of_refused_commands_changes_nothing
        a_batch_that_reads_too_much_is_carried_out_in_parts
        an_empty_batch_changes_nothing
        a_command_for_another_version_is_refused
        a_wrong_clock_does_not_stop_the_log
        a_request_is_taken_only_with_room_for_its_later_steps
    }
    keys {
        a_repeated_call_gets_the_first_reply_and_changes_nothing
        a_repeated_creation_is_answered_after_its_template_was_disabled
        the_first_reply_is_repeated_even_if_the_request_has_changed_since
        a_key_used_for_something_else_is_refused
        keys_of_different_callers_are_independent
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
        concurrent_batches_over_the_same_requests_all_succeed
        concurrent_creates_leave_no_gap
    }
    lists {
        a_list_shows_requests_that_match_every_filter
        pages_follow_each_other_without_gap_or_repetition
        large_requests_are_read_a_few_at_a_time
    }
    log {
        the_log_is_read_in_pages
        large_events_of_the_log_are_read_a_few_at_a_time
        the_time_of_the_next_event_is_read
        checkpoints_are_read_back_as_they_were_put
        checkpoints_that_are_not_put_stay
        a_fenced_owner_writes_no_checkpoint
        the_log_keeps_its_topic
        the_log_keeps_its_mode_and_the_producers_of_its_topics
    }
    catalogue {
        a_completed_request_registers_its_credentials
        a_request_with_an_unknown_card_or_a_failed_one_registers_nothing
        a_completed_request_changes_the_status_of_its_card
        a_request_is_not_completed_with_the_credential_of_another_user
        one_of_two_requests_that_issue_the_same_card_is_refused
        a_card_is_bound_to_one_request_until_that_ends
        one_card_in_many_batches_at_once_is_bound_once
        the_profiles_and_cards_of_a_user_are_listed_in_pages
        credentials_issued_elsewhere_can_be_imported
        the_card_retired_last_is_the_one_that_is_found
        a_template_gets_a_new_version_only_when_it_differs
    }
    batches {
        any_batch_does_what_its_members_do_one_by_one
        any_import_has_the_outcome_that_the_domain_computes
        cards_exchange_their_serial_numbers_in_one_import
    }
    users {
        an_imported_user_is_found_by_each_of_its_keys
        a_refused_import_changes_no_user
        users_exchange_their_keys_in_one_import
        a_learned_user_is_seen_by_its_entry_and_replaced_by_an_import
        users_are_listed_by_name_in_pages
        concurrent_changes_of_users_leave_each_key_to_one
        a_large_import_is_stored_as_a_whole
    }
    opening {
        acknowledged_writes_survive_a_restart
        two_processes_share_one_database
        a_database_with_another_topology_is_refused
        a_newer_schema_is_refused
        a_partition_group_is_locked_by_one_process
        stores_can_be_opened_at_the_same_time
        maintenance_deletes_only_old_keys
        a_clock_that_is_ahead_deletes_no_keys
        maintenance_can_begin_after_the_first_events
        a_reachable_store_answers_a_ping
    }
    vitals {
        groups_without_an_owner_are_counted
        idempotency_keys_are_counted
        the_clock_and_the_files_are_read_where_there_are_any
        idle_connections_are_counted
    }
}
