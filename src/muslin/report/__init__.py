"""Pictures drawn from data and run directories. Training never draws."""
