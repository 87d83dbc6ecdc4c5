"""Journal to exchanges to test cases and mocks."""
