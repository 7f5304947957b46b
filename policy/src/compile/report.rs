//! Problems as they are found.

use config::{Code, Path, Places, Problems, code};

/// The problems of one document so far.
pub(super) struct Report<'a> {
    places: &'a Places,
    problems: Problems,
}

impl<'a> Report<'a> {
    pub(super) fn new(places: &'a Places) -> Self {
        Self {
            places,
            problems: Problems::default(),
        }
    }

    pub(super) fn error(
        &mut self,
        code: Code,
        path: &Path,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.problems
            .error(code, path, self.places, message, remedy);
    }

    pub(super) fn warning(
        &mut self,
        code: Code,
        path: &Path,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.problems
            .warning(code, path, self.places, message, remedy);
    }

    /// Refuses a field whose organ is planned but not there: to ignore it would be a false promise.
    pub(super) fn not_built(&mut self, parent: &Path, field: &str, used: bool) {
        if used {
            let message = format!("`{field}` is not built yet");
            self.error(code::NOT_BUILT, &parent.field(field), message, "remove it");
        }
    }

    /// What was written, or the default; refuses zero.
    pub(super) fn positive<T: Default + PartialEq>(
        &mut self,
        parent: &Path,
        field: &str,
        written: Option<T>,
        default: T,
    ) -> T {
        let value = written.unwrap_or(default);
        if value == T::default() {
            let message = format!("`{field}` is zero, so nothing could pass");
            self.error(
                code::OUT_OF_RANGE,
                &parent.field(field),
                message,
                "write a larger value, or remove it",
            );
        }
        value
    }

    pub(super) fn finish(self) -> Problems {
        self.problems
    }
}
