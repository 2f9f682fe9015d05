//! Lists over gRPC: filters and pages.

use cmgate::contract::v1::{
    CancelRequestRequest, GetRequestsRequest, Request, RequestDraft, RequestStatus, RequestType,
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::Api;
use crate::support::client::{CARDS, DEV, JUDGE, PAVLE, PROFILES, create, creation, enrollment, sent_by};

#[tokio::test(flavor = "multi_thread")]
async fn all_filters_that_are_given_must_hold() {
    let api = Api::start();
    let mut client = api.client.clone();
    let card = create(&mut client, enrollment(CARDS)).await;
    let profile = create(&mut client, enrollment(PROFILES)).await;
    let for_pavle = RequestDraft { target: PAVLE.to_owned(), ..enrollment(PROFILES) };
    let by_judge = client.create_request(sent_by(JUDGE, creation(for_pavle))).await.unwrap();
    let by_judge = by_judge.into_inner().request.unwrap();
    let canceled = create(&mut client, enrollment(CARDS)).await;
    let cancel = CancelRequestRequest { id: canceled.id.clone(), ..Default::default() };
    let canceled = client.cancel_request(cancel).await.unwrap().into_inner().request.unwrap();

    let all = [&card, &profile, &by_judge, &canceled];
    let any = GetRequestsRequest::default;
    let (pending, canceled_status) = (RequestStatus::Pending.into(), RequestStatus::Canceled.into());
    let (enroll, renew) = (RequestType::Enroll.into(), RequestType::Renew.into());
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
    let cases: [(GetRequestsRequest, &[&Request]); 12] = [
        (any(), &all),
        (GetRequestsRequest { statuses: vec![pending], ..any() }, &[&profile, &by_judge]),
        (GetRequestsRequest { statuses: vec![pending, canceled_status], ..any() }, &[&profile, &by_judge, &canceled]),
        (GetRequestsRequest { types: vec![enroll], ..any() }, &all),
        (GetRequestsRequest { types: vec![renew], ..any() }, &[]),
        (GetRequestsRequest { targets: texts(&[PAVLE]), ..any() }, &[&by_judge]),
        (GetRequestsRequest { originators: texts(&[DEV]), ..any() }, &[&card, &profile, &canceled]),
        (GetRequestsRequest { originators: texts(&[DEV, JUDGE]), ..any() }, &all),
        (GetRequestsRequest { profile_templates: texts(&[CARDS]), ..any() }, &[&card, &canceled]),
        (GetRequestsRequest { submitted_from: by_judge.submit_time, ..any() }, &[&by_judge, &canceled]),
        (GetRequestsRequest { submitted_before: by_judge.submit_time, ..any() }, &[&card, &profile]),
        (
            GetRequestsRequest { statuses: vec![pending], originators: texts(&[DEV]), types: vec![enroll], ..any() },
            &[&profile],
        ),
    ];
    for (filter, expected) in cases {
        let page = client.get_requests(filter.clone()).await.unwrap().into_inner();
        assert_eq!(page.requests.iter().collect::<Vec<&Request>>(), expected, "{filter:?}");
        assert_eq!(page.next_page_token, "", "{filter:?} fits on one page");
    }
    let wrong = GetRequestsRequest { statuses: vec![pending, 0], targets: texts(&["me"]), page_size: -1, ..any() };
    let error = client.get_requests(wrong).await.unwrap_err();
    assert_eq!(
        (error.code(), fields(&error)),
        (Code::InvalidArgument, texts(&["statuses[1]", "targets[0]", "page_size"]))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_every_request_once_though_others_are_created_meanwhile() {
    let api = Api::start();
    let mut client = api.client.clone();
    let mut created = Vec::new();
    for _ in 0..7 {
        created.push(create(&mut client, enrollment(CARDS)).await.id);
    }
    let mut filter = GetRequestsRequest { originators: vec![DEV.to_owned()], page_size: 3, ..Default::default() };
    let mut shown = Vec::new();
    let mut sizes = Vec::new();
    loop {
        let page = client.get_requests(filter.clone()).await.unwrap().into_inner();
        sizes.push(page.requests.len());
        shown.extend(page.requests.into_iter().map(|request| request.id));
        if page.next_page_token.is_empty() {
            break;
        }
        filter.page_token = page.next_page_token;
        if sizes.len() == 1 {
            created.push(create(&mut client, enrollment(CARDS)).await.id);
        }
    }
    assert_eq!((shown, sizes), (created, vec![3, 3, 2]));

    for other in [
        GetRequestsRequest { originators: vec![JUDGE.to_owned()], ..filter.clone() },
        GetRequestsRequest { originators: Vec::new(), ..filter.clone() },
        GetRequestsRequest { page_token: "elsewhere".to_owned(), ..filter.clone() },
    ] {
        let error = client.get_requests(other).await.unwrap_err();
        assert_eq!((error.code(), fields(&error)), (Code::InvalidArgument, vec!["page_token".to_owned()]));
    }
    let page = client.get_requests(GetRequestsRequest { page_size: 1, ..filter }).await.unwrap().into_inner();
    assert_eq!(page.requests.len(), 1, "the page size may change between pages");
}

fn fields(error: &Status) -> Vec<String> {
    let violations = error.get_details_bad_request().unwrap().field_violations;
    violations.into_iter().map(|violation| violation.field).collect()
}
