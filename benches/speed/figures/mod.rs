//! The figures, each with its yardstick.

mod authentication;
mod creates;
mod delivery;
mod drain;
mod flood;
mod latency;
mod lists;
mod reads;
mod start;
mod store;

use std::pin::Pin;

use crate::settings::Settings;
use crate::table::Table;

/// Measures a figure and adds it to the table.
type Measure = for<'a> fn(&'a Settings, &'a mut Table) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// All figures by name, in the order of the report.
pub(crate) const ALL: [(&str, Measure); 12] = [
    ("creates", |settings, table| Box::pin(creates::unary(settings, table))),
    ("keyed", |settings, table| Box::pin(creates::keyed(settings, table))),
    ("batch", |settings, table| Box::pin(creates::batch(settings, table))),
    ("store", |settings, table| Box::pin(store::measure(settings, table))),
    ("latency", |settings, table| Box::pin(latency::measure(settings, table))),
    ("reads", |settings, table| Box::pin(reads::measure(settings, table))),
    ("lists", |settings, table| Box::pin(lists::measure(settings, table))),
    ("delivery", |settings, table| Box::pin(delivery::measure(settings, table))),
    ("drain", |settings, table| Box::pin(drain::measure(settings, table))),
    ("start", |settings, table| Box::pin(start::measure(settings, table))),
    ("auth", |settings, table| Box::pin(authentication::measure(settings, table))),
    ("flood", |settings, table| Box::pin(flood::measure(settings, table))),
];
