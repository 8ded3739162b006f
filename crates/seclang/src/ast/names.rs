//! Words with a fixed spelling: an enum, its names, and the way back from a name.

/// An enum whose variants are words of the language: `Variant = "name" | "other spelling"`.
macro_rules! named {
    (
        $(#[$attribute:meta])*
        $visibility:vis enum $type:ident { $($variant:ident = $name:literal $(| $other:literal)*),+ $(,)? }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $visibility enum $type {
            $(#[doc = concat!("`", $name, "`")] $variant),+
        }

        impl $type {
            /// All of them, each once.
            $visibility const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As the reference manual spells it.
            $visibility const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The one with this name; case does not matter.
            $visibility fn from_name(name: &str) -> Option<Self> {
                $(if [$name $(, $other)*].iter().any(|known| known.eq_ignore_ascii_case(name)) {
                    return Some(Self::$variant);
                })+
                None
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.name())
            }
        }
    };
}

pub(crate) use named;
