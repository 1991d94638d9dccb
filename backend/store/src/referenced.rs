//! A dataset that was not uploaded, on its way to a reader: found below a root of this process, and as it was when it was
//! registered.

use std::path::Path;

use uuid::Uuid;

use crate::error::StoreError;
use crate::files::{Check, FileHash};
use crate::references::{Change, Listing, Located, ReferenceError, first_change};
use crate::store::Store;

/// Files that were found as they were registered.
#[derive(Debug, Clone)]
pub struct Referenced {
    id: Uuid,
    name: String,
    located: Located,
    fingerprint: FileHash,
}

/// What was stored of a dataset when it was registered.
pub(crate) struct Registered<'a> {
    pub id: Uuid,
    pub name: &'a str,
    pub location: &'a str,
    pub fingerprint: &'a FileHash,
}

impl Referenced {
    /// The file or folder, without links.
    pub fn path(&self) -> &Path {
        &self.located.path
    }

    /// Fails when a name, a size or a time is no longer what it was.
    pub fn still_intact(&self) -> Result<(), StoreError> {
        match Listing::of(&self.located) {
            Ok(listing) if listing.fingerprint() == self.fingerprint => Ok(()),
            Ok(_) => Err(self.fails(ReferenceError::WrittenTo)),
            Err(error) => Err(self.fails(ReferenceError::Listing(error))),
        }
    }

    /// Looks for a dataset at its location, which only this process's own roots can allow.
    pub(crate) async fn find(store: &Store, registered: Registered<'_>) -> Result<Self, StoreError> {
        let (roots, place) = (store.dataset_roots().clone(), registered.location.to_owned());
        let look = move || {
            let Located { path, .. } = roots.resolve(&place).map_err(ReferenceError::Location)?;
            // Roots that overlap may have other words for the same place.
            let located = Located { location: place, path };
            let listing = Listing::of(&located).map_err(ReferenceError::Listing)?;
            Ok((located, listing))
        };
        let found = tokio::task::spawn_blocking(look).await.unwrap_or(Err(ReferenceError::Panicked));
        let (located, listing) = found.map_err(|reason| registered.fails(reason))?;
        if listing.fingerprint() != *registered.fingerprint {
            let change = change(store, registered.fingerprint, &listing).await;
            return Err(registered.fails(ReferenceError::Changed(change)));
        }
        let (name, fingerprint) = (registered.name.to_owned(), registered.fingerprint.clone());
        Ok(Self { id: registered.id, name, located, fingerprint })
    }

    fn fails(&self, reason: ReferenceError) -> StoreError {
        let Self { id, name, located, fingerprint } = self;
        Registered { id: *id, name, location: &located.location, fingerprint }.fails(reason)
    }
}

impl Registered<'_> {
    fn fails(&self, reason: ReferenceError) -> StoreError {
        let (name, location) = (self.name.to_owned(), self.location.to_owned());
        StoreError::Reference { id: self.id, name, location, reason }
    }
}

/// What has changed, where the listing of the registration can still be read.
async fn change(store: &Store, before: &FileHash, now: &Listing) -> Option<Change> {
    let before = store.files().materialize(before, Check::Once).await.ok()?;
    let before = tokio::fs::read_to_string(before.path()).await.ok()?;
    first_change(&before, now.text())
}
