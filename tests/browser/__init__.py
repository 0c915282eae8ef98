"""Tests in real Chromium through JupyterLab."""

import pytest

pytest.register_assert_rewrite("tests.browser.pages")
