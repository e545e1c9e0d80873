//! The one error type: its message names the operation, what was expected and what came.

use std::fmt;

/// What kind of trouble an [`Error`] reports. The code travels to JavaScript as `ConvletError.code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is outside of what the operation takes.
    Argument,
    /// A tensor or picture has another shape than the operation takes.
    Shape,
    /// An architecture names something that cannot be built.
    Architecture,
    /// A file is not a model file, or is damaged.
    File,
    /// A model file is of a version that this build does not know.
    Version,
    /// The data a training needs are missing or unusable.
    Data,
    /// A loss or weight stopped being a finite number.
    Divergence,
    /// Reading or writing failed.
    Io,
}

impl ErrorKind {
    /// The stable lower-case name used in JavaScript and in `--json` output.
    pub fn code(self) -> &'static str {
        match self {
            ErrorKind::Argument => "argument",
            ErrorKind::Shape => "shape",
            ErrorKind::Architecture => "architecture",
            ErrorKind::File => "file",
            ErrorKind::Version => "version",
            ErrorKind::Data => "data",
            ErrorKind::Divergence => "divergence",
            ErrorKind::Io => "io",
        }
    }
}

/// Something that could not be done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// A result whose error is [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of `kind` with a message that says what was expected and what came.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// As [`Self::new`]; out of line, so that what refuses something stays small.
    #[cold]
    #[inline(never)]
    pub(crate) fn formatted(kind: ErrorKind, message: fmt::Arguments) -> Self {
        Self { kind, message: message.to_string() }
    }

    /// The same error, its message led by where it arose: a layer's name, a file's path.
    pub fn within(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// What kind of trouble this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Returns early with an [`Error`]: `bail!(Shape, "Dense: expected {} features, got {}", a, b)`.
macro_rules! bail {
    ($kind:ident, $($message:tt)*) => {
        return Err($crate::error::Error::formatted($crate::error::ErrorKind::$kind, format_args!($($message)*)))
    };
}
pub(crate) use bail;
