"""The knobs of media, in Django's settings as `MEDIA = {...}`."""

from marketplace_kit.settings import PackageSettings


class Settings(PackageSettings, name="MEDIA"):
    ENDPOINT_URL: str = ""  # the S3 server; empty: Amazon's, of the region
    BUCKET: str = "marketplace"
    REGION: str = "us-east-1"
    ACCESS_KEY_ID: str = ""
    SECRET_ACCESS_KEY: str = ""
    PUBLIC_BASE_URL: str = ""  # where the bucket can be read by anybody; empty: URLs are signed
    PUBLIC_ENDPOINT_URL: str = ""  # what URLs are signed for, where clients reach S3 by another name than we do
    TIMEOUT: float = 10.0  # seconds that one request to the storage may take to connect, and to answer

    @property
    def endpoint(self) -> str:
        """The S3 server as we reach it, without a slash at the end."""
        return (self.ENDPOINT_URL or f"https://s3.{self.REGION}.amazonaws.com").rstrip("/")

    @property
    def public_endpoint(self) -> str:
        """The S3 server as clients reach it."""
        return self.PUBLIC_ENDPOINT_URL.rstrip("/") or self.endpoint


conf = Settings()
