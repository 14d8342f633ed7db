"""An e-mail user with profile, JWT sessions, password reset and e-mail verification."""
