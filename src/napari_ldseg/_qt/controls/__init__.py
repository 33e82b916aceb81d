"""Qt widgets that know no viewer: forms, sections, messages, progress, tables."""
