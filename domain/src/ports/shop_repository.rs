use async_trait::async_trait;

use crate::lane::Lanes;
use crate::ports::StoreError;
use crate::radius::Radius;
use crate::revision::Revision;
use crate::scope::Scope;
use crate::shop::{Shop, ShopCursor, ShopId, ShopImport};

/// What an import goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportTerms {
    /// The import's revision.
    pub revision: Revision,
    /// The base radius of a new shop for which the file names none.
    pub default_base: Radius,
    /// No cause but a closing one narrows a shop below this.
    pub floor: Radius,
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Shops that are new.
    pub added: u64,
    /// Shops that were there.
    pub updated: u64,
}

/// The shops, for those who ask about them and bring them in.
///
/// # Promises
///
/// - `import_adds_and_updates`: new shops are added with base radius and version 1, known ones
///   keep their causes, are resolved again, and get a new version.
/// - `import_is_atomic`: all rows of a call are brought in, or none.
/// - `import_keeps_released_causes`: only the owner of a lane drops them.
/// - `import_does_not_lose_a_request`: an import and a batch at once end as if one had run
///   after the other.
/// - `import_older_base_does_not_count`: a base radius of a lower revision stays out.
/// - `revisions_only_rise`: each is given out once.
/// - `list_pages_are_complete`: pages in the order of lane and id hold each shop once.
/// - `list_and_count_agree_with_the_scope`: they hold exactly the shops that
///   [`Scope::contains`].
/// - `regions_and_categories_are_listed`: each once, in order.
#[async_trait]
pub trait ShopRepository: Send + Sync + 'static {
    /// How many lanes the database was made for.
    fn lanes(&self) -> Lanes;

    /// One shop.
    async fn get(&self, id: &ShopId) -> Result<Option<Shop>, StoreError>;

    /// Up to `limit` shops of a scope behind `after`, in the order of lane and id.
    async fn list(
        &self,
        scope: &Scope,
        after: Option<&ShopCursor>,
        limit: usize,
    ) -> Result<Vec<Shop>, StoreError>;

    /// How many shops a scope has.
    async fn count(&self, scope: &Scope) -> Result<u64, StoreError>;

    /// The regions that shops lie in.
    async fn regions(&self) -> Result<Vec<String>, StoreError>;

    /// The categories that shops have.
    async fn categories(&self) -> Result<Vec<String>, StoreError>;

    /// A revision that nobody else gets.
    async fn take_revision(&self) -> Result<Revision, StoreError>;

    /// Adds or updates a few thousand shops, all or none. No two rows have one id.
    async fn import(&self, rows: &[ShopImport], terms: ImportTerms)
    -> Result<Imported, StoreError>;
}
