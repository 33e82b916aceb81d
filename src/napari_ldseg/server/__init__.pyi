from ._app import create_app as create_app
from ._serve import serve as serve
