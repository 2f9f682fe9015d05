//! Sessions without a sound fence, for the control run of the chaos test: it shows that the test finds duplicates.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::scan::Scan;
use super::{Claim, Tail, tail};
use crate::Failure;
use crate::batch::StoredRecord;
use crate::session::{Expect, Session};

/// What is left out of the fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfenced {
    /// The transaction: the claim alone.
    NoTransaction,
    /// The wait for the markers.
    NoWait,
}

impl Claim {
    /// Begins a session that a predecessor can still overtake.
    ///
    /// # Errors
    /// As [`Claim::fence`].
    pub async fn pretend<T>(
        mut self,
        unfenced: Unfenced,
        select: impl Fn(&StoredRecord) -> Option<T>,
    ) -> Result<(Session, BTreeMap<i32, Tail<T>>), Failure> {
        let deadline = Instant::now() + self.lane.fence_timeout;
        if unfenced == Unfenced::NoWait {
            self.coordinator.empty_transaction(self.producer, deadline).await?;
        }
        let ends = self.links.ends().await?;
        let scans = ends.iter().map(|(partition, end)| (*partition, Scan::new(*partition, *end))).collect();
        let tails = tail::read(&mut self.links, &BTreeMap::new(), scans, &select).await?;
        let expected = ends.into_keys().map(|partition| (partition, Expect::Anything)).collect();
        Ok((self.into_session(expected), tails))
    }
}
