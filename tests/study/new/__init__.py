"""Tests of the study that is made for rows of the user's own."""
