"""LDSeg: the four networks together."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import AuthorsConfig, ModelConfig, NetworkConfig
from ..diffusion import alpha_bar, residual_input, residual_output
from ..errors import InputError
from ._authors import AuthorsDenoiser, AuthorsImageEncoder, AuthorsMaskDecoder, AuthorsMaskEncoder
from ._denoiser import Denoiser
from ._image_encoder import ImageEncoder
from ._mask_autoencoder import MaskDecoder, MaskEncoder
from ._prompt_encoder import GuessCorrector, PromptEncoder

CONVOLVE = {2: F.conv2d, 3: F.conv3d}


class LDSeg(nn.Module):
    """A latent diffusion model of masks given an image (arXiv 2407.12952).

    Shapes: images (N, image_channels, (Z), Y, X) with sides divisible by ``config.network.factor``; masks as class
    probabilities (N, classes, (Z), Y, X); latents (N, latent_channels, (Z), Y, X) / factor.

    Parameters
    ----------
    config : ModelConfig

    Attributes
    ----------
    config : ModelConfig
    card : str
        The model card (Markdown); empty for a model that was never saved with one.
    sha256 : str
        Hash of the file that the weights came from; empty for a model that came from none.
    """

    card: str = ""
    sha256: str = ""
    mask_encoder: MaskEncoder | AuthorsMaskEncoder
    mask_decoder: MaskDecoder | AuthorsMaskDecoder
    image_encoder: ImageEncoder | AuthorsImageEncoder
    denoiser: Denoiser | AuthorsDenoiser
    prompt_encoder: PromptEncoder | GuessCorrector | None

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        network = config.network
        if isinstance(network, AuthorsConfig):
            self.mask_encoder, self.mask_decoder = AuthorsMaskEncoder(network), AuthorsMaskDecoder(network)
            self.image_encoder, self.denoiser = AuthorsImageEncoder(network), AuthorsDenoiser(network)
        else:
            self.mask_encoder, self.mask_decoder = MaskEncoder(network), MaskDecoder(network)
            self.image_encoder, self.denoiser = ImageEncoder(network), Denoiser(network)
        self.prompt_encoder = None
        if isinstance(network, NetworkConfig) and network.prompt_widths:
            self.prompt_encoder = GuessCorrector(network) if network.prompt_blocks else PromptEncoder(network)

    def encode(self, masks: Tensor) -> Tensor:
        """Return the latents m0 = enc(M) of class probabilities (one-hot masks)."""
        latent: Tensor = self.mask_encoder(masks)
        return latent

    def decode(self, latent: Tensor) -> Tensor:
        """Return class logits: the mask is ``dec(m0).argmax(1)``, its probabilities the softmax."""
        logits: Tensor = self.mask_decoder(latent)
        return logits

    def embed(self, image: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the embedding of normalised images (values about 0 to 1), and the logits of the first guess.

        With ``network.guess`` the latent of the first guess is appended to the embedding's channels. It is
        detached: the guess is trained by its own loss alone.
        """
        embedding, guess = self.image_encoder(image)
        if guess is not None:
            with torch.no_grad():
                latent = self.mask_encoder(guess.softmax(dim=1))
            embedding = torch.cat([embedding, latent], dim=1)
        return embedding, guess

    def condition(self, embedding: Tensor, prompts: Tensor | None = None) -> Tensor:
        """Return what the denoiser is told of the image and of the prompts: once per image, not once per step.

        With ``network.residual_sd`` or ``network.prompt_blocks`` the first guess's latent stands in its last channels.

        Parameters
        ----------
        embedding : tensor, shape (N, E, (Z), Y, X)
        prompts : tensor, shape (N, classes, (Z), Y, X) times ``network.factor``, optional
            1 where somebody said that a pixel is of a class, else 0. All zeros give exactly what None gives.

        Raises
        ------
        InputError
            If there are prompts, and the model has no encoder for them.
        """
        network = self.config.network
        condition = self.denoiser.condition(embedding)
        if network.residual_sd or network.prompt_blocks:
            condition = torch.cat([condition, embedding[:, -network.latent_channels :]], dim=1)
        return condition if prompts is None else self.tell(condition, prompts)

    def tell(self, condition: Tensor, prompts: Tensor) -> Tensor:
        """Add prompts (N, classes, *S) to the condition of an image: the image is embedded once for all of them.

        Raises
        ------
        InputError
            If the model has no encoder for them.
        """
        if self.prompt_encoder is None:
            raise InputError(
                f"The model {self.config.name!r} takes no prompts; teach it to: `napari-ldseg fine-tune "
                f"{self.config.name} --learn prompts`."
            )
        width = self.config.network.denoiser_widths[0]
        known, guess = condition[:, :width], condition[:, width:]
        if isinstance(self.prompt_encoder, GuessCorrector):
            change = self.prompt_encoder(prompts, condition)
            weight = self.denoiser.condition_in.weight[:, -change.shape[1] :]
            known = known + CONVOLVE[change.ndim - 2](change, weight, padding=1)
            return torch.cat([known, guess + change], dim=1)
        known = known + self.prompt_encoder(prompts)
        return torch.cat([known, guess], dim=1) if guess.shape[1] else known

    def predict(self, latent: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """Return what the denoiser predicts (``config.diffusion.prediction``) at timesteps ``t`` (N,) of T."""
        diffusion, network = self.config.diffusion, self.config.network
        scaled = t.to(latent.dtype) * (1000 / diffusion.timesteps)
        sd, known, guess = network.residual_sd, condition, condition[:, :0]
        if sd or network.prompt_blocks:
            known, guess = condition.tensor_split([-network.latent_channels], dim=1)
        if not sd:
            out: Tensor = self.denoiser(latent, scaled, known)
            return out
        exact = t.cpu() if t.device.type == "mps" else t  # MPS has no float64
        abar = alpha_bar(exact, diffusion.schedule, diffusion.timesteps)
        out = self.denoiser(residual_input(latent, guess, abar, sd), scaled, known)
        return residual_output(diffusion.prediction, out, latent, guess, abar, sd)
