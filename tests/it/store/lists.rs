//! Lists: filters and pages.

use cmgate::domain::{
    Action, CredentialIds, Cursor, Listing, PAGE_BYTES_MAX, Page, Query, Request, RequestId, RequestType, Status,
    TemplateId, TemplateRef, UserId,
};
use cmgate::store::Store;
use uuid::Uuid;

use super::steps::{carry_out, read};
use crate::support::commands::{
    TARGET, approver, at, cancel, command, complete, creation, deny, fresh_card, large_request, request, start,
};
use crate::support::database::TestDatabase;

const ALL: Page = Page { after: None, limit: 1_000, max_bytes: PAGE_BYTES_MAX };

pub(super) async fn a_list_shows_requests_that_match_every_filter(database: &TestDatabase) {
    let store = database.open().await;
    let requests = fill(&*store).await;
    for query in queries() {
        let found = store.find(&query, ALL).await.unwrap();
        let expected: Vec<Request> = requests.iter().filter(|request| meets(&query, request)).cloned().collect();
        assert_eq!(found, Listing { members: expected, has_more: false }, "{query:?}");
    }
}

pub(super) async fn pages_follow_each_other_without_gap_or_repetition(database: &TestDatabase) {
    let store = database.open().await;
    let requests = fill(&*store).await;
    let ties = requests.windows(2).filter(|pair| pair[0].submitted_at == pair[1].submitted_at).count();
    assert!(ties > 3, "several requests have the same submit time");
    for query in queries() {
        let expected: Vec<Request> = requests.iter().filter(|request| meets(&query, request)).cloned().collect();
        for size in [(1, PAGE_BYTES_MAX), (2, PAGE_BYTES_MAX), (5, 4_000), (1_000, 4_000), (1_000, PAGE_BYTES_MAX)] {
            assert_eq!(walk(&*store, &query, size).await, expected, "{query:?} in pages of {size:?}");
        }
    }
}

pub(super) async fn large_requests_are_read_a_few_at_a_time(database: &TestDatabase) {
    let store = database.open().await;
    let mut requests: Vec<Request> = ['a', 'a', 'a', '\u{1}', 'a'].map(large_request).into();
    for (number, request) in (0..).zip(&mut requests) {
        request.submitted_at = at(number);
        carry_out(&*store, creation(request.clone())).await;
    }
    // Control characters are stored in base64, which takes a third more. Their request and the last one fill the second page.
    let mut lengths = Vec::new();
    let mut after = None;
    loop {
        let page = store.find(&Query::default(), Page { after, max_bytes: 2_500_000, ..ALL }).await.unwrap();
        lengths.push(page.members.len());
        after = page.members.last().map(|last| Cursor { submitted_at: last.submitted_at, id: last.id });
        if !page.has_more {
            break;
        }
    }
    assert_eq!(lengths, [3, 2]);

    let ids: Vec<RequestId> = requests.iter().map(|request| request.id).collect();
    let found = store.get(&ids).await.unwrap();
    assert!(found.has_more && (1..4).contains(&found.members.len()), "{} were read", found.members.len());
    for id in ids {
        assert_eq!(read(&*store, id).await.id, id);
    }
}

/// Reads a list to its end, page by page.
async fn walk(store: &dyn Store, query: &Query, (limit, max_bytes): (u32, usize)) -> Vec<Request> {
    let mut list: Vec<Request> = Vec::new();
    loop {
        let after = list.last().map(|last| Cursor { submitted_at: last.submitted_at, id: last.id });
        let page = store.find(query, Page { after, limit, max_bytes }).await.unwrap();
        assert!(page.members.len() <= usize::try_from(limit).unwrap());
        assert!(!page.has_more || !page.members.is_empty(), "a page that is not the last has a member");
        list.extend(page.members);
        if !page.has_more {
            return list;
        }
    }
}

/// Creates requests that differ in every filtered field, and returns them in list order.
async fn fill(store: &dyn Store) -> Vec<Request> {
    // Approvals needed, and the steps.
    let lives: [(u8, &[(UserId, Action)]); 6] = [
        (1, &[]),
        (0, &[]),
        (1, &[(approver(9), deny())]),
        (1, &[(TARGET, cancel())]),
        (0, &[(TARGET, start())]),
        (0, &[(TARGET, start()), (TARGET, complete(CredentialIds::NONE))]),
    ];
    let mut requests = Vec::new();
    for number in 0..40_u8 {
        let nth = usize::from(number);
        let (approvals_needed, steps) = lives[nth % lives.len()];
        let mut new = request(approvals_needed);
        new.kind = RequestType::ALL[nth % 3];
        new.old = if new.kind == RequestType::Enroll { CredentialIds::NONE } else { fresh_card() };
        new.originator = approver(number % 2);
        new.template = TemplateRef { id: template(nth % 4), version: 1 };
        // Submission times descend, with four requests for each.
        new.submitted_at = at(-i64::from(number / 4));
        new.changed_at = new.submitted_at;
        let (mut last, _) = carry_out(store, creation(new.clone())).await;
        for (user, action) in steps {
            last = carry_out(store, command(*user, new.id, action.clone())).await.0;
        }
        requests.push((*last).clone());
    }
    requests.sort_by_key(|request| (request.submitted_at, request.id));
    requests
}

fn queries() -> Vec<Query> {
    let any = Query::default;
    let mut queries = vec![any()];
    queries.extend(Status::ALL.map(|status| Query { statuses: vec![status], ..any() }));
    queries.extend([
        Query { statuses: vec![Status::Pending, Status::Executing], ..any() },
        Query { kinds: vec![RequestType::Enroll], ..any() },
        Query { kinds: vec![RequestType::Recover, RequestType::Renew], ..any() },
        Query { kinds: vec![RequestType::OfflineUnblock], ..any() },
        Query { targets: vec![TARGET], ..any() },
        Query { targets: vec![approver(0)], ..any() },
        Query { originators: vec![approver(0)], ..any() },
        Query { originators: vec![approver(0), approver(1)], ..any() },
        Query { templates: vec![template(1)], ..any() },
        Query { templates: vec![template(1), template(2)], ..any() },
        Query { submitted_from: Some(at(-3)), ..any() },
        Query { submitted_before: Some(at(-3)), ..any() },
        Query { submitted_from: Some(at(-6)), submitted_before: Some(at(-2)), ..any() },
        Query { submitted_from: Some(at(1)), ..any() },
        Query { statuses: vec![Status::Canceled], originators: vec![approver(1)], ..any() },
        Query {
            statuses: vec![Status::Completed, Status::Executing, Status::Denied],
            kinds: vec![RequestType::Enroll, RequestType::Renew],
            targets: vec![TARGET],
            originators: vec![approver(0)],
            templates: vec![template(0), template(2)],
            submitted_from: Some(at(-8)),
            submitted_before: Some(at(0)),
        },
    ]);
    queries
}

/// Whether a request matches every filter, computed in memory.
fn meets(query: &Query, request: &Request) -> bool {
    fn allows<T: PartialEq>(allowed: &[T], value: &T) -> bool {
        allowed.is_empty() || allowed.contains(value)
    }
    allows(&query.statuses, &request.status())
        && allows(&query.kinds, &request.kind)
        && allows(&query.targets, &request.target)
        && allows(&query.originators, &request.originator)
        && allows(&query.templates, &request.template.id)
        && query.submitted_from.is_none_or(|from| request.submitted_at >= from)
        && query.submitted_before.is_none_or(|before| request.submitted_at < before)
}

fn template(number: usize) -> TemplateId {
    TemplateId::new(Uuid::from_u128(0x20 + u128::try_from(number).unwrap()))
}
