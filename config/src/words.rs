//! The words of the configuration, each an enum.

/// Enums whose variants are words of the configuration.
macro_rules! words {
    ($($(#[$doc:meta])* $enum:ident { $($variant:ident $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $enum {
            $($variant,)*
        }

        impl $enum {
            pub(crate) const WORDS: &[&str] = &[$($word,)*];

            /// As the configuration writes it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    )*};
}

words! {
    /// An interface of the gateway that a plugin may use only if it is granted.
    Grant {
        Documents "documents",
        Identity "identity",
        Directory "directory",
        Clock "clock",
        Counters "counters",
        Http "http",
        Secrets "secrets",
        Placement "placement",
        Metering "metering",
    }

    /// Why a plugin gave no valid answer.
    FailureKind {
        Trap "trap",
        Timeout "timeout",
        Memory "memory",
        Output "output",
        HostCalls "host_calls",
        Overload "overload",
        Instantiate "instantiate",
        Invalid "invalid",
        Breaker "breaker",
    }

    /// How long an instance of a plugin lives: one request, or many.
    Instances {
        Fresh "fresh",
        Reuse "reuse",
    }

    /// What becomes of a plugin's answer; in shadow it is reported and not enforced.
    Mode {
        Enforce "enforce",
        Shadow "shadow",
        Off "off",
    }
}
