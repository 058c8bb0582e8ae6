//! Brings shops in: adds new ones, and updates known ones.

use catchment_domain::ports::{ShopRepository, StoreError};
use catchment_domain::{
    Damage, ImportBatch, ImportOrder, ImportReceipt, ImportRemark, ImportTerms, Imported, Radius,
    Revision, ShopId, ShopImport, StoredItem,
};
use thiserror::Error;

use crate::UseCaseError;

/// How many rows are prepared at a time.
const PREPARED: usize = 5_000;

/// The rules of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportRules {
    /// Replaces newer base radii, too.
    pub overrules: bool,
    /// The base radius of a new shop whose row names none.
    pub default_base: Radius,
    /// No cause narrows a shop below this radius, unless the cause closes the shop.
    pub floor: Radius,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportedShops {
    /// How many shops were stored.
    pub imported: Imported,
    /// The shops that kept a newer base radius, each with the revision of that radius.
    pub kept: Vec<(ShopId, Revision)>,
    /// The damage of each shop that was left out.
    pub damaged: Vec<Damage>,
}

impl ImportedShops {
    fn add(&mut self, receipt: &ImportReceipt) {
        self.imported += receipt.counts();
        for entry in &receipt.entries {
            if let Some(ImportRemark::NewerBase(revision)) = entry.remark {
                self.kept.push((entry.shop.clone(), revision));
            }
        }
    }
}

/// An import that stopped half way. It can be repeated.
#[derive(Debug, Error)]
#[error("{source}")]
pub struct ImportFailed {
    /// What was stored before, and stays.
    pub stored: Imported,
    /// Why the import stopped.
    pub source: UseCaseError,
}

/// Stores shops batch by batch. A failure does not undo the batches before it, and a repeated import
/// stores the rest. A shop whose stored data is damaged is left out.
///
/// # Errors
///
/// When the store fails.
pub async fn import_shops(
    shops: &dyn ShopRepository,
    rows: impl IntoIterator<Item = ShopImport, IntoIter: Send>,
    rules: ImportRules,
) -> Result<ImportedShops, ImportFailed> {
    let mut result = ImportedShops::default();
    let failed = |error: StoreError, stored| ImportFailed { stored, source: error.into() };
    let order = if rules.overrules {
        ImportOrder::Overruling
    } else {
        let revision = shops.take_revision().await;
        ImportOrder::Taken(revision.map_err(|error| failed(error, result.imported))?)
    };
    let ImportRules { default_base, floor, .. } = rules;
    let terms = ImportTerms { order, default_base, floor };
    let mut rows = rows.into_iter();
    loop {
        let prepared: Vec<ShopImport> = rows.by_ref().take(PREPARED).collect();
        if prepared.is_empty() {
            return Ok(result);
        }
        let mut batches = ImportBatch::split(prepared, shops.lanes());
        batches.reverse();
        while let Some(batch) = batches.pop() {
            match shops.import(&batch, terms).await {
                Ok(receipt) => result.add(&receipt),
                // Halves the batch until only the row of the damaged shop is left.
                Err(StoreError::BadData { what }) => match batch.halves() {
                    Some(halves) => batches.extend(halves),
                    None => result.damaged.extend(damage(&batch, what)),
                },
                Err(error) => return Err(failed(error, result.imported)),
            }
        }
    }
}

/// Returns the damage that a batch of one row met.
fn damage(batch: &ImportBatch, what: String) -> Option<Damage> {
    let row = batch.rows().first()?;
    Some(Damage { item: StoredItem::State(row.id.to_string()), what })
}
