//! Lists: filters and pages.

use uuid::Uuid;

use super::fields;
use crate::contract::v1;
use crate::domain::{PAGE_BYTES_MAX, PAGE_SIZE_MAX, Page, Query, Refusal, TemplateId, UserId};
use crate::grpc::page_token;
use crate::service::Violations;

/// Page size if the caller sets none.
const PAGE_SIZE_DEFAULT: u32 = 50;
/// Most values in one filter.
const VALUES_MAX: usize = 100;

/// The filters and the page of a list.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) query: Query,
    pub(crate) page: Page,
}

/// Decodes the filters and the page.
pub(crate) fn list(message: &v1::GetRequestsRequest) -> Result<List, Refusal> {
    let mut violations = Violations::default();
    let noted = &mut violations;
    let query = Query {
        statuses: values(noted, "statuses", &message.statuses, |noted, field, number| {
            fields::status(noted, field, *number)
        }),
        kinds: values(noted, "types", &message.types, |noted, field, number| {
            fields::request_type(noted, field, *number)
        }),
        targets: ids(noted, "targets", &message.targets, UserId::new),
        originators: ids(noted, "originators", &message.originators, UserId::new),
        templates: ids(noted, "profile_templates", &message.profile_templates, TemplateId::new),
        submitted_from: fields::time(noted, "submitted_from", message.submitted_from.as_ref()),
        submitted_before: fields::time(noted, "submitted_before", message.submitted_before.as_ref()),
    };
    let limit = page_size(noted, message.page_size);
    let after = match message.page_token.as_str() {
        "" => None,
        token => noted.keep(page_token::parse(token, &query)),
    };
    violations.finish(Some(List { query, page: Page { after, limit, max_bytes: PAGE_BYTES_MAX } }))
}

fn ids<T>(violations: &mut Violations, field: &str, texts: &[String], id: fn(Uuid) -> T) -> Vec<T> {
    values(violations, field, texts, |violations, field, text| fields::uuid(violations, field, text, id))
}

/// The values of one filter; errors name each by its index.
pub(super) fn values<M, T>(
    violations: &mut Violations,
    field: &str,
    given: &[M],
    check: impl Fn(&mut Violations, &str, &M) -> Option<T>,
) -> Vec<T> {
    if given.len() > VALUES_MAX {
        violations.add(field, format!("must have at most {VALUES_MAX} values"));
        return Vec::new();
    }
    let numbered = given.iter().enumerate();
    numbered.filter_map(|(index, value)| check(violations, &format!("{field}[{index}]"), value)).collect()
}

pub(super) fn page_size(violations: &mut Violations, size: i32) -> u32 {
    match u32::try_from(size) {
        Ok(0) => PAGE_SIZE_DEFAULT,
        Ok(size) => size.min(PAGE_SIZE_MAX),
        Err(_) => {
            violations.add("page_size", "must not be negative");
            PAGE_SIZE_DEFAULT
        }
    }
}
