"""Who somebody is by the word of others: OpenID providers and CI systems, whose signed tokens are checked here."""
