"""Who may use what: projects, people with their roles, and the keys they proved."""
