"""Everything that uses AWS: stores, clients, secrets, settings and logs, and the tools that build, run and operate."""
