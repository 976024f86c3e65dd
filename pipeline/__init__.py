"""Everything around the heads: configuration, readers, slices, states to reports, Beam."""
