"""Networks of the First Order Motion Model."""
