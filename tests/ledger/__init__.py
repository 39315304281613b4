"""Tests of the books and the audit."""
