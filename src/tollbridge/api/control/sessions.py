"""How does a person sign in?"""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from tollbridge.access.keys import NAME_LENGTH_MAX
from tollbridge.access.users import PASSWORD_LENGTH_MAX
from tollbridge.api.deps import ControlOf

router = APIRouter(prefix="/auth", tags=["sign-in"])
BEARER = "bearer"


class Credentials(BaseModel):
    """A user's name and password."""

    model_config = ConfigDict(extra="forbid")

    username: str = Field(min_length=1, max_length=NAME_LENGTH_MAX)
    password: str = Field(min_length=1, max_length=PASSWORD_LENGTH_MAX, repr=False)


class AccessToken(BaseModel):
    """A token for the header Authorization: Bearer."""

    access_token: str
    token_type: str = Field(description="Always bearer.")
    expires_in: int = Field(description="Seconds.")


@router.post("/token")
async def sign_in(credentials: Credentials, control: ControlOf) -> AccessToken:
    """Sign in. After ten failures a name waits half a minute for each further attempt."""
    user = await control.sign_in.verify(credentials.username, credentials.password)
    token = control.tokens.issue(user.name, user.role, control.services.clock.now_us())
    return AccessToken(
        access_token=token, token_type=BEARER, expires_in=control.tokens.expires_in_s
    )
