//! What an owner says about a video, as it is written since such texts are sealed; those of before are in the clear.

use spool_domain::sealed::MARK;
use spool_domain::videos::{Described, Visibility};

pub fn described() -> Described {
    let marked = |text: &str| format!("{MARK}{text}");
    Described {
        title: marked("h3uQ0nZVx1p9o7yYc2sK5tWm8bRk3LdGvAeXjF0iTgUqHw"),
        description: marked("Jm2PzYw8sVq5rTn1LkXb7cDfGh3uEa9oRi0tKyWjSvQxZp"),
        visibility: Visibility::Public,
    }
}
