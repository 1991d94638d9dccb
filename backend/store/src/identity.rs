//! Which file store belongs to which database.
//!
//! The server marks its file store with an id that the database has, too. A worker whose `--files` leads elsewhere, or
//! whose folder is not mounted, finds another mark or none, and knows that a missing file is missing only there.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, EntityTrait, QuerySelect};
use uuid::Uuid;

use crate::entities::{file, property};
use crate::error::StoreError;
use crate::store::Store;

const FILES_ID: &str = "files_id";
const TOUCHED: &str = "touched_ms";
/// Files that are looked for before an unmarked file store is taken for another one.
const LOOKED_FOR: u64 = 20;

impl Store {
    /// Answers when the database takes writes, which a full disk keeps it from: writes a row that means nothing.
    pub async fn try_write(&self) -> Result<(), StoreError> {
        let now = self.clock().now_ms().to_string();
        let row = property::ActiveModel { name: Set(TOUCHED.to_string()), value: Set(now) };
        property::Entity::insert(row)
            .on_conflict(OnConflict::column(property::Column::Name).update_column(property::Column::Value).to_owned())
            .exec_without_returning(self.database())
            .await?;
        Ok(())
    }

    /// Marks the file store as this database's, once; for the server's start.
    ///
    /// # Errors
    /// [`StoreError::ForeignFiles`] where the database has files and their store is another one.
    pub async fn own_files(&self) -> Result<(), StoreError> {
        let found = self.files().marker().await?;
        let expected = match self.files_id().await? {
            Some(expected) => expected,
            None => self.save_files_id(found.clone().unwrap_or_else(|| Uuid::now_v7().to_string())).await?,
        };
        if found.is_none() && !self.may_be_elsewhere().await? {
            self.files().mark(&expected).await?;
        }
        self.check_files().await
    }

    /// Whether the files are reached that the rows of the database speak of.
    ///
    /// # Errors
    /// [`StoreError::ForeignFiles`] where they are not.
    pub async fn check_files(&self) -> Result<(), StoreError> {
        match self.files_id().await? {
            Some(expected) => self.compare_files(expected, self.files_marker().await?),
            None => Ok(()),
        }
    }

    /// The id that the file store of this database should say; `None` where there is none yet.
    pub async fn files_id(&self) -> Result<Option<String>, StoreError> {
        let row = property::Entity::find_by_id(FILES_ID).one(self.database()).await?;
        Ok(row.map(|row| row.value))
    }

    /// The id that the file store says; `None` where it says none. The database is not asked.
    pub async fn files_marker(&self) -> Result<Option<String>, StoreError> {
        self.files().marker().await
    }

    /// What [`Store::check_files`] says of an id of the database and one of the file store.
    pub fn compare_files(&self, expected: String, found: Option<String>) -> Result<(), StoreError> {
        if found.as_ref() == Some(&expected) {
            return Ok(());
        }
        Err(StoreError::ForeignFiles { place: self.files().address(), expected, found })
    }

    /// Whether an unmarked file store lacks what it should have: files that the database knows.
    async fn may_be_elsewhere(&self) -> Result<bool, StoreError> {
        let known = file::Entity::find().limit(LOOKED_FOR).all(self.database()).await?;
        // A store from before there were marks has its files, a few that were lost excepted.
        for file in &known {
            if self.files().size(&file.hash.parse()?).await?.is_some() {
                return Ok(false);
            }
        }
        Ok(!known.is_empty())
    }

    /// The first id stored stays, and is returned.
    async fn save_files_id(&self, id: String) -> Result<String, StoreError> {
        let row = property::ActiveModel { name: Set(FILES_ID.to_string()), value: Set(id.clone()) };
        property::Entity::insert(row)
            .on_conflict(OnConflict::column(property::Column::Name).do_nothing().to_owned())
            .try_insert()
            .exec_without_returning(self.database())
            .await?;
        Ok(self.files_id().await?.unwrap_or(id))
    }
}
