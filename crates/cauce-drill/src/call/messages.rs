//! `struct msghdr` and control messages.

use super::buffers::{buffers, member, only};
use super::lower::{Lowered, Setting, is_null};
use super::structures::{address, option_value};
use super::{Address, Buffer, WantedControl, WantedData};
use crate::ast::{Expr, Spanned};

type Arg = Spanned<Expr>;

/// What the script says about a message.
pub(super) struct Message<'a> {
    pub buffers: Vec<Buffer>,
    pub flags: Option<i32>,
    pub control: Option<&'a Arg>,
    /// The address in `msg_name`: `...` is `None`, for a connected socket needs none.
    pub name: Option<Address>,
}

/// `{msg_name(...)=..., msg_iov(1)=[{..., 100}], msg_flags=0, msg_control=[…]}`.
pub(super) fn message<'a>(arg: &'a Arg, s: &Setting<'_>) -> Lowered<Message<'a>> {
    let Expr::Struct(fields) = &arg.value else {
        return s.refuse(
            &arg.span,
            "a message is written `{msg_name(...)=..., msg_iov(1)=[{..., 100}], msg_flags=0}`",
        );
    };
    only(fields, &["msg_name", "msg_iov", "msg_flags", "msg_control"], s)?;
    let iov = fields.iter().find(|field| field.name.as_ref().is_some_and(|name| name.value == "msg_iov"));
    let Some(iov) = iov else {
        return s.refuse(&arg.span, "`msg_iov(N)=` is missing");
    };
    let buffers = buffers(&iov.value, iov.argument.as_deref(), s)?;
    let flags = member(fields, "msg_flags").map(|flags| s.c_int(flags)).transpose()?;
    let name = match member(fields, "msg_name") {
        Some(name) if name.value != Expr::Ellipsis && !is_null(name) => {
            Some(address(name, Address::Remote, s)?)
        }
        _ => None,
    };
    Ok(Message { buffers, flags, control: member(fields, "msg_control"), name })
}

/// `[{cmsg_level=…, cmsg_type=…, cmsg_data=…}]`.
pub(super) fn control_messages(arg: &Arg, s: &Setting<'_>) -> Lowered<Vec<WantedControl>> {
    let Expr::List(items) = &arg.value else {
        return s
            .refuse(&arg.span, "control messages are written `[{cmsg_level=…, cmsg_type=…, cmsg_data=…}]`");
    };
    items.iter().map(|item| control(item, s)).collect()
}

/// Level, type and data of a control message that is sent.
pub(super) type Sent = (i32, i32, Vec<u8>);

/// Control messages of sendmsg: their data are ints, `[1, 2]` or one without brackets, or text.
pub(super) fn sent_controls(arg: &Arg, s: &Setting<'_>) -> Lowered<Vec<Sent>> {
    let wanted = control_messages(arg, s)?;
    let Expr::List(items) = &arg.value else { return Ok(Vec::new()) };
    let mut sent = Vec::new();
    for (wanted, item) in wanted.iter().zip(items) {
        let Expr::Struct(fields) = &item.value else { continue };
        let bytes = match member(fields, "cmsg_data").map(|data| (data, &data.value)) {
            None => Vec::new(),
            Some((_, Expr::Text(bytes))) => bytes.clone(),
            Some((_, Expr::List(items))) => {
                let ints = items.iter().map(|int| s.c_int(int)).collect::<Lowered<Vec<_>>>()?;
                ints.into_iter().flat_map(i32::to_ne_bytes).collect()
            }
            Some((_, Expr::Integer(_) | Expr::Symbol(_) | Expr::Or(_))) => match wanted.data {
                WantedData::Int(value) => value.to_ne_bytes().to_vec(),
                _ => Vec::new(),
            },
            Some((data, _)) => {
                return s.refuse(&data.span, "what is sent in a control message is ints or text");
            }
        };
        if wanted.len.is_some_and(|len| len != CONTROL_HEADER + bytes.len()) {
            let title = format!("cmsg_len is {} with these data", CONTROL_HEADER + bytes.len());
            return s.refuse(&item.span, title);
        }
        sent.push((wanted.level, wanted.kind, bytes));
    }
    Ok(sent)
}

/// Bytes before the data of a control message.
pub(crate) const CONTROL_HEADER: usize = 16;

fn control(item: &Arg, s: &Setting<'_>) -> Lowered<WantedControl> {
    let Expr::Struct(fields) = &item.value else {
        return s
            .refuse(&item.span, "a control message is written `{cmsg_level=…, cmsg_type=…, cmsg_data=…}`");
    };
    only(fields, &["cmsg_len", "cmsg_level", "cmsg_type", "cmsg_data"], s)?;
    let (Some(level), Some(kind)) = (member(fields, "cmsg_level"), member(fields, "cmsg_type")) else {
        return s.refuse(&item.span, "cmsg_level and cmsg_type are needed");
    };
    let data = match member(fields, "cmsg_data") {
        None => WantedData::Any,
        Some(data) => self::data(data, s)?,
    };
    let len = match member(fields, "cmsg_len") {
        Some(len) if len.value != Expr::Ellipsis => Some(s.int(len)?),
        _ => None,
    };
    Ok(WantedControl { level: s.c_int(level)?, kind: s.c_int(kind)?, len, data })
}

fn data(arg: &Arg, s: &Setting<'_>) -> Lowered<WantedData> {
    let fields = match &arg.value {
        Expr::Ellipsis => return Ok(WantedData::Any),
        Expr::Struct(fields) => fields,
        Expr::List(items) => match items.as_slice() {
            [one] => return Ok(WantedData::Int(s.c_int(one)?)),
            _ => return Ok(WantedData::Bytes(option_value(arg, 0, s)?)),
        },
        Expr::Text(bytes) => return Ok(WantedData::Bytes(bytes.clone())),
        _ => return Ok(WantedData::Int(s.c_int(arg)?)),
    };
    if let (Some(seconds), Some(nanos)) = (member(fields, "scm_sec"), member(fields, "scm_nsec")) {
        only(fields, &["scm_sec", "scm_nsec"], s)?;
        let whole = s.number(seconds)?.checked_mul(1_000_000_000);
        return match whole.and_then(|whole| whole.checked_add(s.number(nanos).ok()?)) {
            Some(time) => Ok(WantedData::Time(time)),
            None => s.refuse(&arg.span, "this time is too long"),
        };
    }
    only(fields, &["ee_errno", "ee_origin", "ee_type", "ee_code", "ee_info", "ee_data"], s)?;
    let find = |name| match member(fields, name) {
        Some(value) => Ok(value),
        None => s.refuse(&arg.span, format!("`{name}=` is missing")),
    };
    Ok(WantedData::ExtendedError {
        errno: s.int(find("ee_errno")?)?,
        origin: s.int(find("ee_origin")?)?,
        kind: s.int(find("ee_type")?)?,
        code: s.int(find("ee_code")?)?,
        info: s.int(find("ee_info")?)?,
        data: s.int(find("ee_data")?)?,
    })
}
