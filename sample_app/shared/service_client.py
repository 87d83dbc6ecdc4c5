"""Calls from one service to another: in the caller's name, within a time limit, with errors that say who failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from flask import request

from sample_app.shared.errors import Conflict, DependencyFailed, DependencyTimeout, Forbidden, NotFound, Unauthorized

TIMEOUT_SECONDS = 5.0
PASSED_ON = {401: Unauthorized, 403: Forbidden, 404: NotFound, 409: Conflict}


class ServiceClient:
    """Another service of the shop."""

    def __init__(self, name: str, base_url: str) -> None:
        self.name = name
        self.base_url = base_url
        self._session = requests.Session()

    def get(self, path: str) -> Any:
        return self._call("GET", path, None)

    def post(self, path: str, body: Mapping[str, object]) -> Any:
        return self._call("POST", path, body)

    def close(self) -> None:
        self._session.close()

    def _call(self, method: str, path: str, body: Mapping[str, object] | None) -> Any:
        try:
            response = self._session.request(
                method,
                f"{self.base_url}/api/v1{path}",
                json=body,
                headers={"Authorization": request.headers.get("Authorization", "")},
                timeout=TIMEOUT_SECONDS,
            )
        except requests.Timeout as error:
            raise DependencyTimeout(f"the {self.name} service takes too long") from error
        except requests.RequestException as error:
            raise DependencyFailed(f"the {self.name} service cannot be reached") from error
        try:
            data = response.json()
        except requests.JSONDecodeError as error:
            raise DependencyFailed(f"the {self.name} service answers with something that is no JSON") from error
        if response.status_code in PASSED_ON:
            said = data.get("error") if isinstance(data, dict) else None
            raise PASSED_ON[response.status_code](str(said or f"the {self.name} service refuses"))
        if not response.ok:
            raise DependencyFailed(f"the {self.name} service answers with status {response.status_code}")
        return data
