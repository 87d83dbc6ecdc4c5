"""Apps through which canaries pass, one for each transport."""
