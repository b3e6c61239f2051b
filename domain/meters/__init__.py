"""Smart meters: readings, what uploads of them hold, and the generator of simulated ones."""
