//! How far each webhook has come in the audit trail.

use redb::{ReadableDatabase, TableError};

use super::tables::DELIVERIES;
use super::{Store, StoreError};

impl Store {
    /// The last record that a webhook needs no more. One that is new here begins after `since`, and that is
    /// remembered.
    pub(crate) fn delivered(&self, webhook: &str, since: u64) -> Result<u64, StoreError> {
        match self.known(webhook)? {
            Some(number) => Ok(number),
            None => {
                self.write(|tx| tx.put_delivered(webhook, since))?;
                Ok(since)
            }
        }
    }

    fn known(&self, webhook: &str) -> Result<Option<u64>, StoreError> {
        let database = self.shared();
        let database = database.as_ref().ok_or(StoreError::Lent)?;
        let table = match database.begin_read()?.open_table(DELIVERIES) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(table.get(webhook)?.map(|number| number.value()))
    }

    /// Whether this process has the store now: while another has it, that one delivers.
    pub(crate) fn is_here(&self) -> bool {
        self.shared().is_some()
    }
}
