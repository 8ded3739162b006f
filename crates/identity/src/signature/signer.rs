//! Signs requests that the gateway sends (RFC 9421, section 3.1).

use std::time::SystemTime;

use bartizan_config::{SignatureComponent, UpstreamSigning};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, Method, Uri};
use sfv::{DictSerializer, InnerList, Item, Key, Parameters, key_ref};

use super::{
    Message, SignatureKeyError,
    base::signature_base,
    component::{Component, serialize_inner},
    content_digest,
    digest::CONTENT_DIGEST,
    fields::{SIGNATURE, SIGNATURE_INPUT},
    key::SigningKey,
    table::seconds,
};

/// Signs with one key.
#[derive(Debug)]
pub struct RequestSigner {
    id: sfv::String,
    tag: Option<sfv::String>,
    key: SigningKey,
    components: Vec<SignatureComponent>,
}

/// A request as it goes out.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// The method.
    pub method: &'a Method,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// What stands in `Host` or `:authority`.
    pub authority: &'a str,
    /// Path and query.
    pub target: &'a Uri,
    /// The content, if all of it is here.
    pub content: Option<&'a [u8]>,
}

/// No random bytes, or a request that cannot be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request cannot be signed")]
pub struct Unsigned;

impl RequestSigner {
    /// The signer that `settings` describe; reads the file of the key.
    pub fn new(settings: &UpstreamSigning) -> Result<Self, SignatureKeyError> {
        let text = |text: &str| {
            sfv::String::from_string(text.into()).map_err(|_| SignatureKeyError::Kind("printable ASCII"))
        };
        Ok(Self {
            id: text(&settings.id)?,
            tag: settings.tag.as_deref().map(text).transpose()?,
            key: SigningKey::new(settings.algorithm, &settings.material)?,
            components: settings.components.clone(),
        })
    }

    /// Adds `Content-Digest`, `Signature-Input` and `Signature`, in the place of any that are there: what a client said
    /// is not what the gateway says. Each signature has a nonce of its own.
    pub fn sign(
        &self,
        request: &Outgoing<'_>,
        headers: &mut HeaderMap,
        now: SystemTime,
    ) -> Result<(), Unsigned> {
        let mut nonce = [0; 16];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| Unsigned)?;
        headers.remove(SIGNATURE_INPUT);
        headers.remove(SIGNATURE);
        if self.components.contains(&SignatureComponent::CONTENT_DIGEST) {
            headers.remove(CONTENT_DIGEST);
            if let Some(content) = request.content {
                let digest = HeaderValue::try_from(content_digest(content)).map_err(|_| Unsigned)?;
                headers.insert(CONTENT_DIGEST, digest);
            }
        }
        let nonce = URL_SAFE_NO_PAD.encode(nonce);
        let (list, signature) = self.signature(request, headers, seconds(now), &nonce).ok_or(Unsigned)?;
        let (input, signature) = fields(list, &signature).ok_or(Unsigned)?;
        headers.insert(SIGNATURE_INPUT, input);
        headers.insert(SIGNATURE, signature);
        Ok(())
    }

    fn signature(
        &self,
        request: &Outgoing<'_>,
        headers: &HeaderMap,
        created: u64,
        nonce: &str,
    ) -> Option<(InnerList, Vec<u8>)> {
        let Outgoing { method, scheme, authority, target, .. } = request;
        let message = Message::new(method, scheme, authority, target, headers);
        let is_there = |component: &&SignatureComponent| match component {
            SignatureComponent::Field(name) => headers.contains_key(name),
            _ => true,
        };
        let covered: Vec<&SignatureComponent> = self.components.iter().filter(is_there).collect();
        let items = covered.iter().map(|component| Some(Item::new(text(component.as_str())?)));
        let list = InnerList::with_params(items.collect::<Option<_>>()?, self.parameters(created, nonce)?);
        let components: Vec<Component> = covered.into_iter().map(Component::whole).collect();
        let base = signature_base(&message, &components, &serialize_inner(&list)?).ok()?;
        Some((list, self.key.sign(&base)?))
    }

    fn parameters(&self, created: u64, nonce: &str) -> Option<Parameters> {
        let mut parameters = Parameters::new();
        let mut add = |name: &'static str, value: sfv::BareItem| {
            Key::from_string(name.into()).ok().map(|key| parameters.insert(key, value))
        };
        add("created", sfv::Integer::try_from(created).ok()?.into())?;
        add("keyid", self.id.clone().into())?;
        add("alg", text(self.key.algorithm.as_str())?.into())?;
        add("nonce", text(nonce)?.into())?;
        if let Some(tag) = &self.tag {
            add("tag", tag.clone().into())?;
        }
        Some(parameters)
    }
}

fn text(text: &str) -> Option<sfv::String> {
    sfv::String::from_string(text.into()).ok()
}

/// Both fields, with one label.
fn fields(list: InnerList, signature: &[u8]) -> Option<(HeaderValue, HeaderValue)> {
    let label = key_ref("bartizan");
    let mut input = DictSerializer::new();
    input.members([(label, &list.into())]);
    let mut value = DictSerializer::new();
    value.bare_item(label, signature);
    let (input, value) = (input.finish()?, value.finish()?);
    Some((HeaderValue::try_from(input).ok()?, HeaderValue::try_from(value).ok()?))
}
