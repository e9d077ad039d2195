// A header-only module needs one source file.
