from ._build import check_tensors as check_tensors, empty_model as empty_model, fill_model as fill_model
from ._cores import computing as computing, limit_cores as limit_cores, share_cores as share_cores
from ._device import (
    autocast as autocast,
    fastest_convolutions as fastest_convolutions,
    resolve_device as resolve_device,
)
from ._fetch import fetch_model as fetch_model, offered_models as offered_models
from ._header import (
    AGAIN as AGAIN,
    MAX_PARAMETERS as MAX_PARAMETERS,
    MODEL_FILE as MODEL_FILE,
    Header as Header,
    Tensor as Tensor,
    file_to_write as file_to_write,
    model_file as model_file,
    read_header as read_header,
)
from ._index import Index as Index, Offer as Offer, own_index as own_index
from ._library import (
    check_name as check_name,
    delete_model as delete_model,
    export_model as export_model,
    install_model as install_model,
    rename_model as rename_model,
)
from ._registry import (
    ModelEntry as ModelEntry,
    find_model as find_model,
    list_models as list_models,
    released_folder as released_folder,
)
from ._weights import load_model as load_model, save_model as save_model
