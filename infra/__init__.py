"""Where the product meets AWS: tables, clients, secrets, settings, logs, and the local cloud."""
