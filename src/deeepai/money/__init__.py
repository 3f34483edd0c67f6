"""What calls cost, and the ledger that takes it. All money is whole 10⁻⁹ USD."""
